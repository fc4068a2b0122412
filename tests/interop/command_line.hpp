// The command line of the programs: `--name value`, `--flag`, and arguments without a name.
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

class command_line {
public:
    /// --help prints `usage`, and so does an error.
    explicit command_line(std::string_view usage) : usage_(usage) {}

    /// `--name value`; if it is given twice, the last one counts.
    template <std::unsigned_integral Number>
    void option(std::string_view name, Number& to) {
        add(name, [&to](std::string_view value) { return read(value, to); });
    }
    void option(std::string_view name, std::chrono::milliseconds& to) {
        add(name, [&to](std::string_view value) {
            std::uint32_t number = 0;
            bool const is_good = read(value, number);
            to = std::chrono::milliseconds(number);
            return is_good;
        });
    }
    void option(std::string_view name, std::string& to) {
        add(name, [&to](std::string_view value) { return to = value, true; });
    }
    /// The same, for values that are checked: `read(value)` says whether it is good.
    void option(std::string_view name, std::function<bool(std::string_view)> read) { add(name, std::move(read)); }

    /// `--flag`.
    void flag(std::string_view name, std::function<void()> set) { flags_.emplace_back(name, std::move(set)); }
    void flag(std::string_view name, bool& to) {
        flag(name, [&to] { to = true; });
    }

    /// Reads all arguments and returns those without a name. An error ends the program.
    std::vector<std::string_view> parse(int argc, char** argv) const {
        std::vector<std::string_view> alone;
        for (int i = 1; i < argc; ++i) {
            std::string_view const argument = argv[i];
            if (argument == "--help") {
                std::printf("%.*s\n", static_cast<int>(usage_.size()), usage_.data());
                std::exit(0);
            }
            if (!argument.starts_with("--")) {
                alone.push_back(argument);
            } else if (auto const* const set = find(flags_, argument)) {
                (*set)();
            } else if (auto const* const read = find(options_, argument)) {
                if (++i == argc || !(*read)(argv[i])) fail(argument);
            } else {
                fail(argument);
            }
        }
        return alone;
    }

    [[noreturn]] void fail(std::string_view argument) const {
        std::fprintf(stderr, "wrong: %.*s\n%.*s\n", static_cast<int>(argument.size()), argument.data(),
                     static_cast<int>(usage_.size()), usage_.data());
        std::exit(2);
    }

private:
    template <class F>
    using named = std::vector<std::pair<std::string_view, std::function<F>>>;

    template <class Number>
    static bool read(std::string_view value, Number& to) {
        auto const end = value.data() + value.size();
        auto const done = std::from_chars(value.data(), end, to);
        return done.ec == std::errc() && done.ptr == end;
    }

    void add(std::string_view name, std::function<bool(std::string_view)> read) {
        options_.emplace_back(name, std::move(read));
    }

    template <class F>
    static std::function<F> const* find(named<F> const& list, std::string_view name) {
        for (auto const& [known, f] : list)
            if (known == name) return &f;
        return nullptr;
    }

    std::string_view usage_;
    named<bool(std::string_view)> options_;
    named<void()> flags_;
};
