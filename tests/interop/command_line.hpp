// The command line of the programs: `--name value`, `--flag`, and arguments without a name, which `--` may precede.
#pragma once

#include <algorithm>
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
    /// --help prints `usage`.
    explicit command_line(std::string_view usage) : usage_(usage) {}

    /// `--name value`; if it is given twice, the last one counts.
    template <std::unsigned_integral Number>
    void option(std::string_view name, Number& to) {
        option(name, "wants a number", [&to](std::string_view value) { return read(value, to); });
    }
    void option(std::string_view name, std::chrono::milliseconds& to) {
        option(name, "wants milliseconds", [&to](std::string_view value) {
            std::uint32_t number = 0;
            bool const is_good = read(value, number);
            to = std::chrono::milliseconds(number);
            return is_good;
        });
    }
    void option(std::string_view name, std::string& to) {
        option(name, {}, [&to](std::string_view value) { return to = value, true; });
    }
    /// The same, for values that are checked: `read(value)` says whether it is good. If not, the error says what the
    /// option `wants`: "wants a number".
    void option(std::string_view name, std::string_view wants, std::function<bool(std::string_view)> read) {
        options_.push_back({name, wants, std::move(read)});
    }

    /// `--flag`.
    void flag(std::string_view name, std::function<void()> set) { flags_.push_back({name, std::move(set)}); }
    void flag(std::string_view name, bool& to) {
        flag(name, [&to] { to = true; });
    }

    /// `name` is an error without `other`.
    void needs(std::string_view name, std::string_view other) { needs_.emplace_back(name, other); }

    /// Reads all arguments and returns those without a name. A negative number is one of them, but for the first. An
    /// error ends the program.
    std::vector<std::string_view> parse(int argc, char** argv) const {
        std::vector<std::string_view> alone;
        std::vector<std::string_view> given;
        for (int i = 1; i < argc; ++i) {
            std::string_view const argument = argv[i];
            if (argument == "--") {
                alone.insert(alone.end(), argv + i + 1, argv + argc);
                break;
            }
            if (argument == "--help" || argument == "-h") {
                std::printf("%.*s\n", static_cast<int>(usage_.size()), usage_.data());
                std::exit(0);
            }
            if (!argument.starts_with('-') || (!alone.empty() && is_negative(argument))) {
                alone.push_back(argument);
                continue;
            }
            given.push_back(argument);
            if (auto const* const wanted = find(flags_, argument)) {
                wanted->set();
            } else if (auto const* const o = find(options_, argument)) {
                if (++i == argc) fail(std::string(argument) + " needs a value");
                if (!o->read(argv[i])) fail(argument, o->wants, argv[i]);
            } else {
                fail("unknown option: " + std::string(argument));
            }
        }
        for (auto const& [name, other] : needs_)
            if (is_in(given, name) && !is_in(given, other)) fail(std::string(name) + " needs " + std::string(other));
        return alone;
    }

    /// The same where each argument has a name.
    void parse_options(int argc, char** argv) const {
        auto const alone = parse(argc, argv);
        if (!alone.empty()) fail("unexpected argument: " + std::string(alone.front()));
    }

    [[noreturn]] void fail(std::string_view what) const {
        std::fprintf(stderr, "%.*s (see --help)\n", static_cast<int>(what.size()), what.data());
        std::exit(2);
    }
    /// `--name wants a number, not "x"`.
    [[noreturn]] void fail(std::string_view name, std::string_view wants, std::string_view value) const {
        fail((std::string(name) += ' ').append(wants).append(", not \"").append(value) += '"');
    }

private:
    struct checked_option {
        std::string_view name;
        std::string_view wants;
        std::function<bool(std::string_view)> read;
    };
    struct named_flag {
        std::string_view name;
        std::function<void()> set;
    };

    static bool is_negative(std::string_view text) {
        return text.size() > 1 && text[0] == '-' && text[1] >= '0' && text[1] <= '9';
    }
    static bool is_in(std::vector<std::string_view> const& list, std::string_view name) {
        return std::ranges::find(list, name) != list.end();
    }

    template <class Number>
    static bool read(std::string_view value, Number& to) {
        auto const end = value.data() + value.size();
        auto const done = std::from_chars(value.data(), end, to);
        return done.ec == std::errc() && done.ptr == end;
    }

    template <class Named>
    static Named const* find(std::vector<Named> const& list, std::string_view name) {
        auto const found = std::ranges::find(list, name, &Named::name);
        return found == list.end() ? nullptr : &*found;
    }

    std::string_view usage_;
    std::vector<checked_option> options_;
    std::vector<named_flag> flags_;
    std::vector<std::pair<std::string_view, std::string_view>> needs_;
};
