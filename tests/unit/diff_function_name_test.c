/* Demangled names as people say them. */
#include "diff/function_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[][2] = {
	{"main", "main"},
	{"", ""},
	{"operator new(unsigned long)", "operator new"},
	{"operator new[](unsigned long, std::nothrow_t const&)",
	 "operator new[]"},
	{"operator delete(void*)", "operator delete"},
	{"Foo::operator new(unsigned long)", "Foo::operator new"},
	{"void std::vector<int>::_M_insert<int>(int*, int&&)",
	 "std::vector::_M_insert"},
	{"std::map<std::string, std::vector<int> >::operator[](int const&)",
	 "std::map::operator[]"},
	{"std::function<void (int)>::operator()(int) const",
	 "std::function::operator()"},
	{"std::ostream& operator<< <char>(std::ostream&, char)", "operator<<"},
	{"bool operator< <int>(A<int> const&, A<int> const&)", "operator<"},
	{"bool operator<=<int>(A<int> const&)", "operator<="},
	{"Foo::operator->()", "Foo::operator->"},
	{"Foo::operator std::string() const", "Foo::operator std::string"},
	{"Foo::Foo(int)", "Foo::Foo"},
	{"Foo::~Foo()", "Foo::~Foo"},
	{"(anonymous namespace)::helper(int)", "(anonymous namespace)::helper"},
	{"a::(anonymous namespace)::b<int>::c()",
	 "a::(anonymous namespace)::b::c"},
	{"main::{lambda(int)#1}::operator()(int) const",
	 "main::{lambda(int)#1}::operator()"},
	{"outer(int)::Local::run()", "outer::Local::run"},
	{"outer(int) const::Local::run()", "outer::Local::run"},
	{"decltype(auto) f<int>(int)", "f"},
	{"decltype (g({parm#1})) f<int>(int)", "f"},
	{"foo.isra.0", "foo"},
	{"foo.constprop.3", "foo"},
	{"foo.part.1.cold", "foo"},
	{"foo(int) [clone .isra.0]", "foo"},
	{"foo [clone .cold]", "foo"},
	{"foo.isolated", "foo.isolated"},
	{"main.(*Server).handle", "main.(*Server).handle"},
	{"net/http.(*conn).serve.func1", "net/http.(*conn).serve.func1"},
	{"<alloc::vec::Vec<T> as core::clone::Clone>::clone",
	 "<alloc::vec::Vec<T> as core::clone::Clone>::clone"},
	{"alloc::raw_vec::RawVec<T,A>::grow", "alloc::raw_vec::RawVec::grow"},
	{"my_operator(int)", "my_operator"},
	{"operators::add(int)", "operators::add"},
	{"[jit]", "[jit]"},
	{"[untracked stacks]", "[untracked stacks]"},
	{"broken<unfinished", "broken"},
	{"broken(unfinished", "broken"},
	{"(nothing before)", "(nothing before)"},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		/* exactly as large as promised, for the sanitizers */
		char *simple = malloc(strlen(names[i][0]) + 1);

		function_name_simplify(names[i][0], simple);
		assert_string_equal(simple, names[i][1]);
		free(simple);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
