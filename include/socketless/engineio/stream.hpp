// Engine.IO packets over an ordered byte stream: the framing of WebTransport, which also fits TCP, pipes and QUIC.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/input.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/packet.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The header of one frame of a stream: 1, 3 or 9 bytes.
///
///     header = kind-and-length [ extended-length ]
///     the highest bit of the first byte is 1 for binary; the 7 others are the length; 126: the next 2 bytes are
///     the length, 127: the next 8 are, big-endian
///
/// Source: engine.io-parser 5, createPacketEncoderStream; the form is WebSocket's (RFC 6455, 5.2).
class stream_header {
public:
    /// The size of the longest header.
    static constexpr std::size_t longest = 9;

    /// The header of a frame of this kind with so many bytes.
    constexpr stream_header(frame_kind kind, std::uint64_t length) noexcept {
        std::uint8_t const binary = kind == frame_kind::binary ? 0x80 : 0;
        if (length < 126)
            put(binary | length);
        else if (length <= 0xffff)
            put(binary | 126u), put_big_endian(length, 2);
        else
            put(binary | 127u), put_big_endian(length, 8);
    }

    /// Its bytes, valid as long as the header.
    [[nodiscard]] constexpr std::string_view view() const noexcept { return {bytes_.data(), size_}; }

private:
    constexpr void put(std::uint64_t byte) noexcept {
        bytes_[size_++] = static_cast<char>(static_cast<unsigned char>(byte & 0xffu));
    }
    constexpr void put_big_endian(std::uint64_t value, unsigned bytes) noexcept {
        while (bytes-- != 0) put(value >> 8 * bytes);
    }

    std::array<char, longest> bytes_{};
    std::size_t size_ = 0;
};

/// Writes `p` with its header for a stream (always as revision 4 does: streams came with it).
/// Errors: those of `encode`, and errc::empty_packet for a binary message without any bytes, which a stream
/// cannot carry.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_for_stream(Target&& target, packet const& p) {
    if (auto const good = detail::check(p); !good) return good.error();
    if (p.kind == frame_kind::binary && p.data.empty()) return error{errc::empty_packet};
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        bool const text = p.kind == frame_kind::text;
        out.put(stream_header(p.kind, p.data.size() + (text ? 1 : 0)).view());
        if (text) out.put(detail::digit_of(p.type));
        out.put(p.data);
        return {};
    });
}

/// Cuts a stream, which arrives in chunks of any size, into frames; `decode` makes packets of them.
///
///     reader.push(chunk);
///     while (auto f = reader.next()) {
///         if (!*f) return f->error();
///         use(decode(**f));
///     }
///
/// A frame within one chunk is borrowed from it. Of a frame that spans chunks, the bytes that have arrived are kept
/// here: at most `max_payload` and a header. The length in a header reserves no memory.
class stream_reader {
public:
    /// `max_payload` is the greatest number of bytes that a frame may have.
    constexpr explicit stream_reader(std::size_t max_payload) noexcept : max_payload_(max_payload) {}

    /// The next chunk; several may follow each other. They must live until `next` has returned nothing. If more than
    /// `max_unread_inputs` chunks wait, an error follows the frames of these.
    constexpr void push(std::string_view chunk) {
        if (failed_ || has_overflown_ || chunk.empty()) return;
        if (!is_unread()) {
            chunk_ = chunk;
            return;
        }
        if (later_.size() == max_unread_inputs) forget_read();
        if (later_.size() == max_unread_inputs)
            has_overflown_ = true;
        else
            later_.push_back(chunk);
    }

    /// Whether there are bytes that `next` has not looked at.
    [[nodiscard]] constexpr bool is_unread() const noexcept { return !chunk_.empty() || !later_.empty(); }

    /// The next frame, which lives until the next call, or an error, or nothing until there is another chunk.
    /// Errors, the offset counted from the start of the stream; nothing follows them: errc::empty_packet for a
    /// length of zero, errc::payload_too_large for one over `max_payload` or 2^53-1, errc::queue_overflow for too many
    /// chunks.
    [[nodiscard]] constexpr std::optional<result<frame>> next() {
        for (;;) {
            if (auto const f = next_of_chunk()) return f;
            if (failed_) return std::nullopt;
            if (next_later_ == later_.size()) break;
            chunk_ = later_[next_later_++];
        }
        forget_read();
        if (has_overflown_) return fail(errc::queue_overflow);
        return std::nullopt;
    }

    /// Whether the stream, if it ended here, would end within a frame.
    [[nodiscard]] constexpr bool incomplete() const noexcept { return !kept_is_used_ && !kept_.empty(); }

private:
    // Memory that is kept for the next frame.
    static constexpr std::size_t largest_idle_buffer = 4096;

    constexpr std::optional<result<frame>> next_of_chunk() {
        if (kept_is_used_) {
            release();
            kept_is_used_ = false;
        }
        if (kept_.empty()) {
            auto const f = cut(chunk_);
            if (f) return f;
        }
        // The frame goes on in another chunk: gather first its header, then all of it.
        while (!chunk_.empty() && !failed_) {
            std::size_t const missing = missing_from(kept_);
            std::size_t const taken = std::min(missing, chunk_.size());
            kept_.append(chunk_.substr(0, taken));
            chunk_.remove_prefix(taken);
            std::string_view whole = kept_;
            if (auto const f = cut(whole)) {
                kept_is_used_ = true;
                return f;
            }
        }
        return std::nullopt;
    }

    constexpr void forget_read() {
        if (next_later_ == later_.size())
            std::vector<std::string_view>().swap(later_);
        else
            later_.erase(later_.begin(), later_.begin() + static_cast<std::ptrdiff_t>(next_later_));
        next_later_ = 0;
    }

    constexpr void release() {
        kept_.clear();
        if (kept_.capacity() > largest_idle_buffer) std::string().swap(kept_);
    }

    struct header {
        frame_kind kind;
        std::size_t size;
        std::uint64_t length;
    };

    // The header that `bytes` begin with, once it is whole.
    static constexpr std::optional<header> read_header(std::string_view bytes) noexcept {
        if (bytes.empty()) return std::nullopt;
        auto const byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        header h{(byte(0) & 0x80u) != 0 ? frame_kind::binary : frame_kind::text, 1, byte(0) & 0x7fu};
        if (h.length < 126) return h;
        h.size = header_size(bytes);
        if (bytes.size() < h.size) return std::nullopt;
        h.length = 0;
        for (std::size_t i = 1; i != h.size; ++i) h.length = h.length << 8u | byte(i);
        return h;
    }

    static constexpr std::size_t header_size(std::string_view bytes) noexcept {
        unsigned const length = static_cast<unsigned char>(bytes.front()) & 0x7fu;
        return length < 126 ? 1 : length == 126 ? 3 : stream_header::longest;
    }

    // How many bytes `bytes` lacks to the end of the header, or, once that is whole, of the frame.
    static constexpr std::size_t missing_from(std::string_view bytes) noexcept {
        if (bytes.empty()) return 1;
        auto const h = read_header(bytes);
        if (!h) return header_size(bytes) - bytes.size();
        return static_cast<std::size_t>(h->length) - (bytes.size() - h->size);
    }

    // Takes one frame, or an error, from the start of `bytes`; nothing if the frame is not whole.
    constexpr std::optional<result<frame>> cut(std::string_view& bytes) noexcept {
        auto const h = read_header(bytes);
        if (!h) return std::nullopt;
        if (h->length == 0) return fail(errc::empty_packet);
        if (h->length > max_payload_ || h->length > core_detail::max_safe_integer) return fail(errc::payload_too_large);
        auto const length = static_cast<std::size_t>(h->length);
        if (bytes.size() - h->size < length) return std::nullopt;
        frame const f{h->kind, bytes.substr(h->size, length)};
        bytes.remove_prefix(h->size + length);
        position_ += h->size + length;
        return f;
    }

    constexpr result<frame> fail(errc code) noexcept {
        failed_ = true;
        chunk_ = {};
        next_later_ = later_.size();
        forget_read();
        release();
        return error{code, position_};
    }

    std::size_t max_payload_;
    std::string_view chunk_;
    std::vector<std::string_view> later_; // chunks behind it, from next_later_ on
    std::size_t next_later_ = 0;
    std::string kept_;
    std::size_t position_ = 0;
    bool kept_is_used_ = false;
    bool failed_ = false;
    bool has_overflown_ = false;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
