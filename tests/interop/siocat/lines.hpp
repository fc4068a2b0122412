// The lines of the standard input: a terminal, a pipe, a file or nothing.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace siocat {

class line_reader {
public:
    /// Calls `take(line)` for each line, without its end, and `end()` once, behind the last one.
    line_reader(std::function<void(std::string_view)> take, std::function<void()> end)
        : take_(std::move(take)), end_(std::move(end)) {}

    /// Whether there is nothing more to read.
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }
    /// Whether the end of a line is missing yet.
    [[nodiscard]] bool is_within_line() const noexcept { return !line_.empty(); }

    /// Reads what is there, of which poll knows: so the terminal, which the shell reads from too, stays as it is.
    void read() {
        char piece[64 * 1024];
        auto const size = ::read(STDIN_FILENO, piece, sizeof piece);
        if (size <= 0) {
            has_ended_ = true;
            if (!line_.empty()) take_(line_);
            return end_();
        }
        std::string_view rest(piece, static_cast<std::size_t>(size));
        for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
            line_ += rest.substr(0, end);
            rest.remove_prefix(end + 1);
            take_(line_);
            line_.clear();
        }
        line_ += rest;
    }

private:
    std::function<void(std::string_view)> take_;
    std::function<void()> end_;
    std::string line_;
    bool has_ended_ = false;
};

} // namespace siocat
