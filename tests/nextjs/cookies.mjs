// setCookies(headers): the lines of Set-Cookie. Debian's Node 18 has no getSetCookie and joins them by commas, of which
// Better Auth's lines have none.
export const setCookies = (headers) => headers.getSetCookie?.() ?? (headers.get("set-cookie") ?? "").split(/, (?=[^;,=\s]+=)/).filter(Boolean);
