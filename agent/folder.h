/*
 * Finds a folder by its path, but not through links that somebody else put
 * where everybody may: what runs with more rights than they have would write
 * where they want. The kernel may do the same (fs.protected_symlinks), or not.
 */
#ifndef LA_FOLDER_H
#define LA_FOLDER_H

/*
 * A descriptor of the folder (O_PATH), which the caller closes, or -errno:
 * -ELOOP where the path leads through such a link, or through too many. Any
 * thread, no allocation; changes errno.
 */
int la_folder_find(const char *path);

#endif
