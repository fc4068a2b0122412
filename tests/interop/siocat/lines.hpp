// The lines of the standard input: a terminal, a pipe, a file or nothing.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace siocat {

class line_reader {
public:
    /// Reads what is there, of which poll knows: so the terminal, which the shell reads from too, stays as it is.
    void read() {
        text_.erase(0, begin_);
        searched_ -= begin_;
        begin_ = 0;
        char piece[64 * 1024];
        auto const size = ::read(STDIN_FILENO, piece, sizeof piece);
        if (size > 0) text_.append(piece, static_cast<std::size_t>(size));
        can_read_ = size > 0;
    }

    /// The next line, without its end, or nothing until more is read. Valid until then.
    std::optional<std::string_view> next() {
        auto const end = text_.find('\n', searched_);
        bool const is_whole = end != std::string::npos;
        searched_ = is_whole ? end + 1 : text_.size();
        if (!is_whole && (can_read_ || begin_ == text_.size())) return std::nullopt;
        auto const line = std::string_view(text_).substr(begin_, end - begin_);
        begin_ = searched_;
        return line;
    }

    /// Whether `next` has given all that will ever be there.
    [[nodiscard]] bool has_ended() const noexcept { return !can_read_ && begin_ == text_.size(); }

private:
    std::string text_;         // read, from a line's begin on
    std::size_t begin_ = 0;    // of the next line
    std::size_t searched_ = 0; // there is no end of a line from `begin_` to here
    bool can_read_ = true;
};

} // namespace siocat
