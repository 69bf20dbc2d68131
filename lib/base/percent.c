/* Encodes and decodes percent-encoding. */
#include "base/percent.h"

#include "base/hex.h"

bool percent_decode(struct view text, bool form, char *out, struct view *ret)
{
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (form && c == '+')
			c = ' ';
		if (c == '%') {
			if (text.len - i < 3)
				return false;
			int high = hex_value(text.ptr[i + 1]);
			int low = hex_value(text.ptr[i + 2]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		out[len++] = c;
	}
	*ret = (struct view){out, len};
	return true;
}

void percent_encode(struct buf *out, struct view text)
{
	static const char digits[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		                  c == '-' || c == '.' || c == '_' || c == '~';
		if (unreserved) {
			buf_add_char(out, c);
		} else {
			buf_add_char(out, '%');
			buf_add_char(out, digits[(unsigned char)c >> 4]);
			buf_add_char(out, digits[(unsigned char)c & 15]);
		}
	}
}
