// The page that the demo prints on: rows of words in columns, wrapped, and coloured where a terminal shows it.
#pragma once

#include "tools/hex.hpp"

#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if defined(_WIN32)
#include <io.h>
#elif __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace demo {

namespace utf8 = socketless::utf8;

enum class style : std::uint8_t {
    plain,
    dim,
    strong,
    to_server,
    to_client,
    engineio,
    socketio,
    name,
    binary,
    good,
    bad,
};

struct word {
    style look = style::plain;
    std::string text;
};

using words = std::vector<word>;

// A colour for people, none for files and pipes (https://no-color.org).
inline bool wants_colour() {
    auto const variable = [](char const* name) -> std::string_view {
        char const* const value = std::getenv(name);
        return value == nullptr ? "" : value;
    };
    if (!variable("NO_COLOR").empty() || variable("TERM") == "dumb") return false;
#if defined(_WIN32)
    return _isatty(_fileno(stdout)) != 0;
#elif __has_include(<unistd.h>)
    return isatty(STDOUT_FILENO) != 0;
#else
    return false;
#endif
}

// The columns that a character takes in a terminal: near enough for those that are common.
inline std::size_t columns_of(std::string_view sequence) {
    auto const byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(sequence[i])}; };
    std::uint32_t code_point = sequence.size() == 1 ? byte(0) : byte(0) & (0x7fu >> sequence.size());
    for (std::size_t i = 1; i < sequence.size(); ++i) code_point = code_point << 6u | (byte(i) & 0x3fu);
    auto const within = [code_point](std::uint32_t first, std::uint32_t last) {
        return code_point >= first && code_point <= last;
    };
    if (within(0x300, 0x36f) || within(0x200b, 0x200f) || within(0xfe00, 0xfe0f)) return 0;
    bool const wide = within(0x1100, 0x115f) || within(0x2e80, 0xa4cf) || within(0xac00, 0xd7a3) ||
                      within(0xf900, 0xfaff) || within(0xfe30, 0xfe6f) || within(0xff00, 0xff60) ||
                      within(0x1f300, 0x1faff) || within(0x20000, 0x3fffd);
    return wide ? 2 : 1;
}

inline std::size_t width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        auto const length = std::max<std::size_t>(utf8::sequence_length(text), 1);
        columns += columns_of(text.substr(0, length));
        text.remove_prefix(length);
    }
    return columns;
}

// Text that is safe for a terminal: control characters, and bytes that are not UTF-8, as \xNN.
inline std::string printable(std::string_view text) {
    std::string safe;
    while (!text.empty()) {
        auto const length = utf8::sequence_length(text);
        auto const sequence = text.substr(0, std::max<std::size_t>(length, 1));
        auto const byte = static_cast<unsigned char>(text.front());
        bool const control = byte < 0x20 || byte == 0x7f || (byte == 0xc2 && length == 2 && text[1] < '\xa0');
        if (length != 0 && !control)
            safe += sequence;
        else
            for (char const c : sequence) safe += "\\x" + support::to_hex({&c, 1});
        text.remove_prefix(sequence.size());
    }
    return safe;
}

// 1024 as "1,024 bytes".
inline std::string size_text(std::size_t bytes) {
    auto digits = std::to_string(bytes);
    for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, 1, ',');
    return digits + (bytes == 1 ? " byte" : " bytes");
}

// Printable text, cut to some columns if it is longer: `note` takes the place of the rest.
inline std::string elided(std::string_view text, std::size_t columns, std::string_view note) {
    auto const whole = printable(text);
    if (width(whole) <= columns) return whole;
    std::size_t const room = columns - std::min(columns, width(note));
    std::size_t end = 0;
    std::size_t used = 0;
    for (;;) {
        auto const length = utf8::sequence_length(std::string_view(whole).substr(end));
        used += columns_of(std::string_view(whole).substr(end, length));
        if (used > room) break;
        end += length;
    }
    return whole.substr(0, end) + std::string(note);
}

// The same, with a note of its whole size.
inline std::string elided(std::string_view text, std::size_t columns) {
    return elided(text, columns, "… (" + size_text(text.size()) + ")");
}

// Bytes as their number and the first few in hexadecimal.
inline std::string bytes_text(std::string_view bytes) {
    constexpr std::size_t shown = 8;
    if (bytes.empty()) return "0 bytes";
    return size_text(bytes.size()) + ' ' + support::to_hex(bytes.substr(0, shown)) + (bytes.size() > shown ? "…" : "");
}

class page {
public:
    explicit page(bool coloured, std::size_t columns = 100) : coloured_(coloured), columns_(columns) {}

    [[nodiscard]] std::size_t columns() const noexcept { return columns_; }

    // Where a row begins, and where it goes on when it is wrapped at the edge of the page.
    struct margins {
        std::size_t first;
        std::size_t hanging;
    };

    // One row: `left` as it is, then the words of `rest`.
    void row(words const& left, margins m, words const& rest) {
        std::size_t column = 0;
        for (word const& w : left) column += put(w);
        column += indent(m.first, column);
        for (word const& w : rest) {
            bool const begins = &w == rest.data();
            if (!begins && column + 1 + width(w.text) > columns_) {
                end_row();
                column = indent(m.hanging, 0);
            } else if (!begins) {
                column += put({style::plain, " "});
            }
            column += put(w);
        }
        end_row();
    }

    void row(words const& all) { row({}, {0, 0}, all); }
    void gap() { end_row(); }

private:
    std::size_t indent(std::size_t to, std::size_t from) {
        return put({style::plain, std::string(to - std::min(to, from), ' ')});
    }

    std::size_t put(word const& w) {
        bool const plain = !coloured_ || w.look == style::plain || w.text.empty();
        line_ += plain ? w.text : std::string(escape(w.look)) + w.text + "\x1b[0m";
        return width(w.text);
    }

    void end_row() {
        line_.erase(line_.find_last_not_of(' ') + 1);
        line_ += '\n';
        std::fwrite(line_.data(), 1, line_.size(), stdout);
        line_.clear();
    }

    static std::string_view escape(style s) {
        switch (s) {
        case style::plain: return "";
        case style::dim: return "\x1b[2m";
        case style::strong: return "\x1b[1m";
        case style::to_server: return "\x1b[36m";
        case style::to_client: return "\x1b[35m";
        case style::engineio: return "\x1b[94m";
        case style::socketio: return "\x1b[33m";
        case style::name: return "\x1b[1;32m";
        case style::binary: return "\x1b[36m";
        case style::good: return "\x1b[1;32m";
        case style::bad: return "\x1b[1;31m";
        }
        return "";
    }

    bool coloured_;
    std::size_t columns_;
    std::string line_;
};

// `text`, and spaces up to `columns`.
inline std::string padded(std::string_view text, std::size_t columns) {
    return std::string(text) + std::string(columns - std::min(columns, width(text)), ' ');
}

} // namespace demo
