// UTF-8 (RFC 3629) that arrives in pieces: refused as soon as it cannot become valid, each byte looked at once.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/text/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::utf8 {

/// Checks a text piece by piece. A piece may end within a sequence; the next one goes on there.
///
///     utf8::stream_validator validator;
///     for (std::string_view const piece : pieces)
///         if (auto const good = validator.push(piece); !good) return good.error();
///     return validator.is_complete();
class stream_validator {
public:
    /// Checks the next piece. Errors: errc::invalid_utf8 at the first byte of `piece` with which the text cannot become
    /// valid, whatever follows; then push nothing more. Linear in the piece, with no regard to what came before.
    [[nodiscard]] constexpr result<void> push(std::string_view piece) noexcept {
        std::size_t i = 0;
        for (; due_ != 0 && i != piece.size(); ++i)
            if (!go_on(piece[i])) return error{errc::invalid_utf8, i};
        i += skip_whole(piece.substr(i));
        if (i == piece.size()) return {};
        // What is left is wrong, or cut.
        if (!begin(piece[i])) return error{errc::invalid_utf8, i};
        for (++i; i != piece.size(); ++i)
            if (!go_on(piece[i])) return error{errc::invalid_utf8, i};
        return {};
    }

    /// Whether the text may end here: not within a sequence.
    [[nodiscard]] constexpr bool is_complete() const noexcept { return due_ == 0; }

private:
    // The size of all whole sequences that `s` begins with.
    static constexpr std::size_t skip_whole(std::string_view s) noexcept {
        std::size_t i = detail::valid_prefix(s);
        while (i != s.size()) {
            std::size_t const length = sequence_length(s.substr(i));
            if (length == 0) break;
            i += length;
            if (length == 1) i += ascii_prefix(s.substr(i));
        }
        return i;
    }

    // Takes the first byte of a longer sequence. The second byte has bounds of its own where others would be overlong
    // forms, surrogates or too high (RFC 3629, 4).
    constexpr bool begin(char c) noexcept {
        auto const lead = static_cast<unsigned char>(c);
        if (lead < 0xc2 || lead > 0xf4) return false;
        due_ = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if (lead == 0xe0) lowest_ = 0xa0;
        if (lead == 0xed) highest_ = 0x9f;
        if (lead == 0xf0) lowest_ = 0x90;
        if (lead == 0xf4) highest_ = 0x8f;
        return true;
    }

    constexpr bool go_on(char c) noexcept {
        auto const byte = static_cast<unsigned char>(c);
        if (byte < lowest_ || byte > highest_) return false;
        lowest_ = 0x80;
        highest_ = 0xbf;
        --due_;
        return true;
    }

    std::uint8_t due_ = 0; // bytes of the sequence that is cut
    std::uint8_t lowest_ = 0x80;
    std::uint8_t highest_ = 0xbf;
};

} // namespace socketless::inline v0::utf8

#include <socketless/core/detail/epilogue.hpp>
