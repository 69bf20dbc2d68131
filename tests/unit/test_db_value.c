/* Values in PostgreSQL's binary format. */
#include <criterion/criterion.h>

#include "db/value.h"
#include "support/leaks.h"

TestSuite(value, .fini = leaks_check);

Test(value, reads_booleans_of_one_byte)
{
	bool value = false;
	cr_assert(value_to_bool(VIEW("\1"), &value));
	cr_expect(value);
	cr_assert(value_to_bool(VIEW("\0"), &value));
	cr_expect_not(value);
	cr_expect_not(value_to_bool(VIEW("\2"), &value));
	cr_expect_not(value_to_bool(VIEW(""), &value));
	cr_expect_not(value_to_bool(VIEW("\0\0"), &value));
	cr_expect_not(value_to_bool(ABSENT, &value));
}

Test(value, reads_integers_of_four_bytes)
{
	int32_t value = 0;
	cr_assert(value_to_int32(VIEW("\0\0\1\2"), &value));
	cr_expect_eq(value, 258);
	cr_assert(value_to_int32(VIEW("\xff\xff\xff\xfe"), &value));
	cr_expect_eq(value, -2);
	cr_expect_not(value_to_int32(VIEW("\0\0\1"), &value));
	cr_expect_not(value_to_int32(VIEW("\0\0\0\0\0\0\0\1"), &value));
}

Test(value, reads_integers_of_eight_bytes)
{
	int64_t value = 0;
	cr_assert(value_to_int64(VIEW("\0\0\0\1\0\0\0\2"), &value));
	cr_expect_eq(value, INT64_C(4294967298));
	cr_assert(value_to_int64(VIEW("\xff\xff\xff\xff\xff\xff\xff\xfe"), &value));
	cr_expect_eq(value, -2);
	cr_expect_not(value_to_int64(VIEW("\0\0\0\0\0\0\1"), &value));
	cr_expect_not(value_to_int64(VIEW("\0\0\0\0\0\0\0\0\1"), &value));
}

Test(value, reads_instants_from_2000_as_from_1970)
{
	int64_t value = 0;
	cr_assert(value_to_instant(VIEW("\0\0\0\0\0\0\0\0"), &value));
	cr_expect_eq(value, INT64_C(946684800000000));
	cr_assert(value_to_instant(VIEW("\xff\xff\xff\xff\xff\xff\xff\xff"), &value));
	cr_expect_eq(value, INT64_C(946684799999999));
	cr_expect_not(value_to_instant(VIEW("\0\0\0\0"), &value));
}

Test(value, refuses_instants_that_rfc_3339_cannot_say)
{
	static const struct {
		int64_t since_2000;
		bool good;
	} cases[] = {
	        {INT64_C(-63082281600000000), true},  /* 0001-01-01 */
	        {INT64_C(-63082281600000001), false}, /* a microsecond before */
	        {INT64_C(252455615999999999), true},  /* the end of 9999 */
	        {INT64_C(252455616000000000), false}, /* 10000 */
	        {INT64_MAX, false},                   /* infinity */
	        {INT64_MIN, false},                   /* -infinity */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char bytes[8];
		int64_t value;
		for (size_t at = 0; at < 8; at++)
			bytes[at] = (char)((uint64_t)cases[i].since_2000 >> (56 - 8 * at));
		cr_expect_eq(value_to_instant((struct view){bytes, 8}, &value), cases[i].good, "case %zu", i);
	}
}

Test(value, writes_uuids_in_lower_case)
{
	char text[37];
	memset(text, 'x', sizeof text);
	cr_assert(value_to_uuid(VIEW("\x01\x23\x45\x67\x89\xab\xcd\xef\xFE\xDC\xBA\x98\x76\x54\x32\x10"), text));
	cr_expect_str_eq(text, "01234567-89ab-cdef-fedc-ba9876543210");
	cr_expect_not(value_to_uuid(VIEW("\x01\x23"), text));
}

/* One dimension, no NULLs, of text: "a" and "bc". */
#define TWO_TEXTS "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\2\0\0\0\1\0\0\0\1a\0\0\0\2bc"

Test(value, walks_an_array)
{
	struct value_array array;
	struct view element = ABSENT;
	cr_assert(value_to_array(VIEW(TWO_TEXTS), &array));
	cr_expect_eq(array.left, 2);
	cr_assert(value_array_next(&array, &element));
	cr_expect(view_equal(element, VIEW("a")));
	cr_assert(value_array_next(&array, &element));
	cr_expect(view_equal(element, VIEW("bc")));
	cr_expect_eq(array.left, 0);
	cr_expect_not(value_array_next(&array, &element));
}

Test(value, an_empty_array_has_no_dimension)
{
	struct value_array array = {.left = 1};
	cr_assert(value_to_array(VIEW("\0\0\0\0\0\0\0\0\0\0\0\x19"), &array));
	cr_expect_eq(array.left, 0);
}

Test(value, takes_no_element_beyond_the_length_of_an_array)
{
	struct value_array array;
	struct view element = ABSENT;
	cr_assert(value_to_array(VIEW("\0\0\0\0\0\0\0\0\0\0\0\x19\0\0\0\1a"), &array));
	cr_expect_not(value_array_next(&array, &element));
	cr_expect(view_is_absent(element));
}

/* One dimension, no NULLs, of text: as many elements as the last byte says. */
#define TEXTS "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0"

Test(value, an_array_has_four_bytes_at_least_for_each_element)
{
	struct value_array array;
	cr_expect(value_to_array(VIEW(TEXTS "\2\0\0\0\1\0\0\0\0\0\0\0\0"), &array), "two empty texts");
	cr_expect_not(value_to_array(VIEW(TEXTS "\3\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0"), &array),
	              "three in a byte too few");
}

Test(value, refuses_every_array_that_is_cut_short)
{
	const struct view whole = VIEW(TWO_TEXTS);
	for (size_t len = 0; len < whole.len; len++) {
		/* On the heap, so that a read past the end is seen. */
		char *copy = malloc(len + 1);
		struct value_array array;
		struct view element;
		memcpy(copy, whole.ptr, len);
		bool good = value_to_array((struct view){copy, len}, &array);
		while (good && array.left > 0)
			good = value_array_next(&array, &element);
		cr_expect_not(good, "%zu bytes", len);
		free(copy);
	}
}

Test(value, refuses_other_shapes_of_array)
{
	struct value_array array;
	cr_expect_not(
	        value_to_array(VIEW("\0\0\0\2\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1a"), &array),
	        "two dimensions");
	cr_expect_not(value_to_array(VIEW("\0\0\0\1\0\0\0\1\0\0\0\x19\0\0\0\1\0\0\0\1\xff\xff\xff\xff"), &array),
	              "a NULL");
	cr_expect_not(value_to_array(VIEW("\0\0\0\1\0\0\0\0\0\0\0\x19\x7f\xff\xff\xff\0\0\0\1\0\0\0\1a"), &array),
	              "a length beyond the value");
	cr_expect_not(value_to_array(ABSENT, &array), "NULL");
}
