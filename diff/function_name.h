/*
 * Demangled names as people say them: without return type, parameters,
 * template arguments and the compiler's clone suffixes.
 *   void std::vector<int>::_M_insert<int>(int*, int&&) [clone .isra.0]
 * becomes
 *   std::vector::_M_insert
 */
#ifndef DIFF_FUNCTION_NAME_H
#define DIFF_FUNCTION_NAME_H

/* `simple` has room for strlen(name) + 1 bytes and is not `name`. */
void function_name_simplify(const char *name, char *simple);

#endif
