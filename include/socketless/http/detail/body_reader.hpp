// Where the body of a message ends: by its length, by its chunks, or with the connection.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/http/part.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http::detail {

// Chunks (RFC 9112, 7.1), read byte by byte but for their data:
//
//     chunked-body = *chunk last-chunk trailer-section CRLF
//     chunk = chunk-size [ chunk-ext ] CRLF chunk-data CRLF;  chunk-size = 1*HEXDIG;  last-chunk = 1*"0" ...
//
// No white space is allowed around the size. Extensions and trailers are checked, counted and dropped.
class body_reader {
public:
    constexpr body_reader() noexcept = default;

    // A body of this length, one in chunks, one that ends with the connection.
    constexpr void begin(std::uint64_t length) noexcept { *this = body_reader(state::data, length); }
    constexpr void begin_chunked() noexcept { *this = body_reader(state::size_first, 0); }
    constexpr void begin_until_end() noexcept {
        *this = body_reader(state::until_end, std::numeric_limits<std::uint64_t>::max());
    }

    [[nodiscard]] constexpr bool is_until_end() const noexcept { return state_ == state::until_end; }

    // A piece of the body or its end; nothing until there is more input.
    [[nodiscard]] constexpr result<std::optional<part>> read(std::span<char>& input, limits const& l) noexcept {
        for (;;) {
            if (state_ == state::data && left_ == 0) return end();
            if (state_ == state::done) return end();
            if (input.empty()) return std::optional<part>();
            if (state_ == state::data || state_ == state::chunk_data || state_ == state::until_end)
                return take_data(input, l);
            char const c = input.front();
            input = input.subspan(1);
            if (auto const good = take(c, l); !good) return good.error();
        }
    }

private:
    enum class state : std::uint8_t {
        data,       // `left_` bytes of the body
        until_end,  // bytes up to the end of the connection
        size_first, // a chunk's size: the first digit
        size,       // another digit, or what follows them
        extension,  // up to the end of the line
        size_lf,    // the LF of that line
        chunk_data, // `left_` bytes of a chunk
        data_cr,    // the line end behind them
        data_lf,
        trailer,       // the first character of a line
        trailer_name,  // up to its colon
        trailer_value, // up to its end
        trailer_lf,
        last_lf, // of the empty line behind the trailers
        done,
    };

    constexpr body_reader(state s, std::uint64_t left) noexcept : left_(left), state_(s) {}

    [[nodiscard]] constexpr std::optional<part> end() noexcept {
        state_ = state::done;
        return part{.type = part_type::end};
    }

    [[nodiscard]] constexpr result<std::optional<part>> take_data(std::span<char>& input, limits const& l) noexcept {
        auto const room = l.max_body - size_;
        if (room == 0) return error{errc::payload_too_large}; // what is over its length was refused before
        auto const size = static_cast<std::size_t>(std::min({left_, room, std::uint64_t{input.size()}}));
        auto const piece = input.first(size);
        size_ += size;
        input = input.subspan(size);
        if (state_ != state::until_end) left_ -= size;
        if (state_ == state::chunk_data && left_ == 0) state_ = state::data_cr;
        return std::optional(part{.type = part_type::body, .data = piece});
    }

    // One byte between the data.
    [[nodiscard]] constexpr result<void> take(char c, limits const& l) noexcept {
        switch (state_) {
        case state::size_first:
            left_ = 0;
            state_ = state::size;
            return take_digit(c, l);
        case state::size:
            if (c == '\r') return go(state::size_lf);
            if (c == ';') return go(state::extension);
            return take_digit(c, l);
        case state::extension:
            if (c == '\r') return go(state::size_lf);
            return is_value_character(c) ? count(l) : bad();
        case state::size_lf:
            if (left_ > l.max_body - size_) return error{errc::payload_too_large};
            return c == '\n' ? go(left_ == 0 ? state::trailer : state::chunk_data) : bad();
        case state::data_cr: return c == '\r' ? go(state::data_lf) : bad();
        case state::data_lf: return c == '\n' ? go(state::size_first) : bad();
        default: return take_trailer(c, l);
        }
    }

    // More zeros than a size has digits are an extra, too.
    [[nodiscard]] constexpr result<void> take_digit(char c, limits const& l) noexcept {
        int const digit = percent::detail::hex_value(c);
        if (digit < 0 || left_ > std::numeric_limits<std::uint64_t>::max() / 16) return bad();
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        if (digits_ < 16) return ++digits_, result<void>();
        return count(l);
    }

    [[nodiscard]] constexpr result<void> take_trailer(char c, limits const& l) noexcept {
        if (auto const good = count(l); !good) return good;
        switch (state_) {
        case state::trailer:
            if (c == '\r') return go(state::last_lf);
            return token::is_character(c) ? go(state::trailer_name) : bad();
        case state::trailer_name:
            if (c == ':') return go(state::trailer_value);
            return token::is_character(c) ? result<void>() : bad();
        case state::trailer_value:
            if (c == '\r') return go(state::trailer_lf);
            return is_value_character(c) ? result<void>() : bad();
        case state::trailer_lf: return c == '\n' ? go(state::trailer) : bad();
        default: return c == '\n' ? go(state::done) : bad();
        }
    }

    constexpr result<void> go(state s) noexcept {
        state_ = s;
        digits_ = 0;
        return {};
    }
    [[nodiscard]] static constexpr result<void> bad() noexcept { return error{errc::invalid_chunk}; }

    // A byte that is neither of the body nor of a size.
    constexpr result<void> count(limits const& l) noexcept {
        return ++extras_ > l.max_extras ? result<void>(errc::payload_too_large) : result<void>();
    }

    std::uint64_t left_ = 0;
    std::uint64_t size_ = 0;  // of the body so far
    std::size_t extras_ = 0;  // bytes of extensions and trailers
    std::uint8_t digits_ = 0; // of a chunk's size
    state state_ = state::done;
};

} // namespace socketless::inline v0::http::detail

#include <socketless/core/detail/epilogue.hpp>
