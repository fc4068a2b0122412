// Frames and borrowed bytes: the shape in which messages travel between the layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Borrowed bytes.
using byte_view = std::span<std::byte const>;

/// The attachments of a packet, in the order of their placeholders: borrowed bytes.
using attachment_list = std::vector<byte_view>;

/// What a frame carries.
enum class frame_kind : std::uint8_t { text, binary };

/// One WebSocket frame, or one message. Borrowed: valid as long as the bytes that it was cut from.
struct frame {
    /// Whether `data` is text or binary.
    frame_kind kind = frame_kind::text;
    /// The bytes, borrowed. Text is UTF-8.
    std::string_view data;

    friend constexpr bool operator==(frame const&, frame const&) noexcept = default;
};

/// Whether text has to be checked for UTF-8, or whoever hands it on has checked it, and promises that it is UTF-8. Text
/// for which that is not true is handed on as it is.
enum class text_check : bool { due, done };

/// The same memory as bytes.
[[nodiscard]] inline byte_view as_bytes(std::string_view characters) noexcept {
    return std::as_bytes(std::span<char const>(characters));
}

/// The same memory as characters.
[[nodiscard]] inline std::string_view as_characters(byte_view bytes) noexcept {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
