/* Reads values in PostgreSQL's binary format. */
#include "db/value.h"

#include <endian.h>

#include "base/hex.h"

/* Microseconds from 1970 to 2000, where PostgreSQL counts from. */
#define EPOCH_2000 INT64_C(946684800000000)
/* 0001-01-01T00:00:00Z and the last microsecond of 9999, since 1970. */
#define INSTANT_FIRST INT64_C(-62135596800000000)
#define INSTANT_LAST INT64_C(253402300799999999)

static uint32_t read_u32(const char *bytes)
{
	uint32_t number;
	memcpy(&number, bytes, sizeof number);
	return be32toh(number);
}

static uint64_t read_u64(const char *bytes)
{
	uint64_t number;
	memcpy(&number, bytes, sizeof number);
	return be64toh(number);
}

bool value_to_bool(struct view value, bool *ret)
{
	if (value.len != 1 || (unsigned char)value.ptr[0] > 1)
		return false;
	*ret = value.ptr[0] == 1;
	return true;
}

bool value_to_int32(struct view value, int32_t *ret)
{
	if (value.len != 4)
		return false;
	*ret = (int32_t)read_u32(value.ptr);
	return true;
}

bool value_to_int64(struct view value, int64_t *ret)
{
	if (value.len != 8)
		return false;
	*ret = (int64_t)read_u64(value.ptr);
	return true;
}

bool value_to_instant(struct view value, int64_t *ret)
{
	if (value.len != 8)
		return false;
	int64_t since_2000 = (int64_t)read_u64(value.ptr);
	if (since_2000 < INSTANT_FIRST - EPOCH_2000 || since_2000 > INSTANT_LAST - EPOCH_2000)
		return false;
	*ret = since_2000 + EPOCH_2000;
	return true;
}

bool value_to_uuid(struct view value, char ret[37])
{
	if (value.len != 16)
		return false;
	char *out = ret;
	for (size_t i = 0; i < 16; i++) {
		unsigned char byte = (unsigned char)value.ptr[i];
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = HEX_DIGITS[byte >> 4];
		*out++ = HEX_DIGITS[byte & 15];
	}
	*out = '\0';
	return true;
}

static bool take_u32(struct view *rest, uint32_t *ret)
{
	if (rest->len < 4)
		return false;
	*ret = read_u32(rest->ptr);
	*rest = view_from(*rest, 4);
	return true;
}

bool value_to_array(struct view value, struct value_array *ret)
{
	uint32_t dimensions, has_nulls, type, length, lower_bound;
	if (!take_u32(&value, &dimensions) || !take_u32(&value, &has_nulls) || !take_u32(&value, &type))
		return false;
	if (dimensions == 0) {
		*ret = (struct value_array){.rest = value};
		return true;
	}
	if (dimensions != 1 || has_nulls != 0 || !take_u32(&value, &length) || !take_u32(&value, &lower_bound))
		return false;
	/* Each element costs four bytes at least, so a false length can't make a caller loop long. */
	if (length > value.len / 4)
		return false;
	*ret = (struct value_array){.rest = value, .left = length};
	return true;
}

bool value_array_next(struct value_array *array, struct view *ret)
{
	uint32_t length;
	struct view rest = array->rest;
	if (array->left == 0 || !take_u32(&rest, &length) || length > rest.len)
		return false;
	*ret = (struct view){rest.ptr, length};
	*array = (struct value_array){view_from(rest, length), array->left - 1};
	return true;
}
