// Something for a compiler to chew on.
#include <algorithm>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

struct shape {
	virtual ~shape() = default;
	virtual double area() const = 0;
};

template <int Sides> struct polygon : shape {
	double side = Sides;
	double area() const override { return side * side * Sides / 4; }
};

template <int... Sides>
std::vector<std::unique_ptr<shape>> shapes(std::integer_sequence<int, Sides...>)
{
	std::vector<std::unique_ptr<shape>> made;

	(made.push_back(std::make_unique<polygon<Sides>>()), ...);
	return made;
}

int main()
{
	std::map<std::string, std::function<double(const shape &)>> measures;
	std::unordered_map<std::string, std::vector<double>> found;
	std::string line;

	measures["area"] = [](const shape &one) { return one.area(); };
	for (auto &one : shapes(std::make_integer_sequence<int, 40>()))
		for (auto &[name, measure] : measures)
			found[name].push_back(measure(*one));
	for (auto &[name, values] : found)
		std::sort(values.begin(), values.end());
	while (std::getline(std::cin, line)) {
		std::istringstream words(line);
		std::ostringstream out;

		for (std::string word; words >> word;)
			out << word << ':' << found[word].size();
		std::cout << out.str() << '\n';
	}
}
