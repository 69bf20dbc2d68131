/* Compares paths by their parts. */
#include "base/path.h"

#include <limits.h>
#include <stdlib.h>

bool path_is_within(struct view path, struct view folder)
{
	while (folder.len > 0 && folder.ptr[folder.len - 1] == '/')
		folder.len--;
	return view_starts(path, folder) && (path.len == folder.len || path.ptr[folder.len] == '/');
}

bool path_is_published(struct view path, struct view document_root)
{
	char written[PATH_MAX];
	char root[PATH_MAX];

	if (document_root.len == 0)
		return false;
	if (document_root.len >= sizeof(written))
		return true;
	memcpy(written, document_root.ptr, document_root.len);
	written[document_root.len] = '\0';
	return path_is_within(path, view_of(realpath(written, root) ? root : written));
}
