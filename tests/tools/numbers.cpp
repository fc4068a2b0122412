// numbers: prints and reads doubles as JSON numbers, many of them, to compare the library with other implementations.

#include <socketless/json/detail/number.hpp>

#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace {

using namespace socketless::json::detail;

constexpr std::string_view usage = R"(usage: numbers print | numbers read

print: doubles, eight bytes each, to lines
read:  lines to doubles; infinity for a number that is out of range
)";

std::string all_input() {
    std::string input;
    char part[1 << 16];
    while (std::size_t const size = std::fread(part, 1, sizeof part, stdin)) input.append(part, size);
    return input;
}

std::string print(std::string_view doubles) {
    std::string lines;
    double value = 0;
    for (; doubles.size() >= sizeof value; doubles.remove_prefix(sizeof value)) {
        std::memcpy(&value, doubles.data(), sizeof value);
        char text[longest_number];
        lines += between(text, format_double(value, text));
        lines += '\n';
    }
    return lines;
}

std::string read(std::string_view lines) {
    std::string doubles;
    for (std::size_t end = 0; (end = lines.find('\n')) != std::string_view::npos; lines.remove_prefix(end + 1)) {
        double const value =
            read_floating<double>(lines.substr(0, end)).value_or(std::numeric_limits<double>::infinity());
        char bytes[sizeof value];
        std::memcpy(bytes, &value, sizeof value);
        doubles.append(bytes, sizeof bytes);
    }
    return doubles;
}

} // namespace

int main(int argc, char** argv) {
    std::string_view const what = argc == 2 ? argv[1] : "";
    if (what != "print" && what != "read") {
        std::fputs(usage.data(), stderr);
        return 2;
    }
    std::string const input = all_input();
    std::string const output = what == "print" ? print(input) : read(input);
    return std::fwrite(output.data(), 1, output.size(), stdout) == output.size() ? 0 : 1;
}
