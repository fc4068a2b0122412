// Bytes of a connection, in chunks of any size, become messages and control frames (RFC 6455, 5).
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/text/utf8.hpp>
#include <socketless/text/utf8_stream.hpp>
#include <socketless/websocket/frame.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::websocket {

/// The limits on what a peer may send as one message.
struct reader_limits {
    /// The most bytes of a message, all of its fragments together (errc::payload_too_large).
    std::size_t max_message = 1'000'000;
    /// The most fragments of a message, those without any bytes included (errc::too_many_fragments).
    std::uint32_t max_fragments = 65'536;
};

/// What a `message_event` says.
enum class message_event_type : std::uint8_t {
    /// A whole message: `kind`, `data`.
    message,
    /// A ping, to be answered with the same `data`.
    ping,
    /// A pong, with its `data`.
    pong,
    /// The peer has closed its side: `code`, and the reason in `data`. Nothing follows.
    close,
};

/// What a `message_reader` has read. Borrowed: valid until the next `read`, as long as the input lives.
struct message_event {
    /// What was read.
    message_event_type type = message_event_type::message;
    /// message: its kind.
    frame_kind kind = frame_kind::binary;
    /// close: the code; 1005 if the frame has none.
    close_code code = close_code::no_status_received;
    /// The payload; of a close frame the reason, which is UTF-8. It may be changed in place.
    std::span<char> data = {};

    /// message: the same as a frame.
    [[nodiscard]] constexpr frame message() const noexcept { return {kind, text()}; }
    /// `data` as characters.
    [[nodiscard]] constexpr std::string_view text() const noexcept { return {data.data(), data.size()}; }
};

/// The code of the close frame that answers a peer's error: 1007 for what is not UTF-8, 1009 for what goes beyond a
/// limit, 1002 for the others.
[[nodiscard]] constexpr close_code close_code_of(errc code) noexcept {
    switch (code) {
    case errc::invalid_utf8: return close_code::invalid_payload_data;
    case errc::payload_too_large:
    case errc::too_many_fragments: return close_code::message_too_big;
    default: return close_code::protocol_error;
    }
}

/// A reason for that frame, short, for whoever looks for the peer's fault; empty if the code says it all. (`message`
/// has more words, which would all be a part of the program.)
[[nodiscard]] constexpr std::string_view close_reason_of(errc code) noexcept {
    switch (code) {
    case errc::reserved_bits: return "reserved bits";
    case errc::unknown_opcode: return "unknown opcode";
    case errc::invalid_masking: return "masking";
    case errc::invalid_length: return "length";
    case errc::invalid_control_frame: return "control frame";
    case errc::unexpected_fragment: return "unexpected fragment";
    case errc::too_many_fragments: return "too many fragments";
    case errc::invalid_close_code: return "close code";
    default: return {};
    }
}

/// Reads what the peer sends, after the handshake.
///
///     std::span<char> input = chunk;
///     for (;;) {
///         auto const event = reader.read(input);
///         if (!event) return close_code_of(event.error().code);
///         if (!*event) break;
///         use(**event);
///     }
///
/// Payloads are unmasked within the input. A message is borrowed from there if all of it lies in one input, with no
/// control frame between its fragments; these are moved together in place. Otherwise the bytes that have arrived are
/// kept here, and freed by the `read` after that which has returned them. So a reader that waits for the next message
/// owns no memory. It never owns more than a message of the largest size, and one control frame; the length in a header
/// reserves nothing.
class message_reader {
public:
    /// Reads the frames that this role receives: a server's come from a client, and are masked.
    explicit message_reader(role own, reader_limits const& limits = {}) noexcept
        : max_message_(std::min(limits.max_message, largest_limit)), max_fragments_(limits.max_fragments), role_(own) {}

    /// Takes bytes from the front of `input` and returns what they mean, or nothing until there are more: then all of
    /// `input` was taken. What is left of it after an event goes into the next call, from whatever place. Linear in the
    /// bytes taken.
    ///
    /// Errors: errc::reserved_bits, errc::unknown_opcode, errc::invalid_masking; errc::invalid_control_frame if it is
    /// long or fragmented; errc::unexpected_fragment for one of no message, or for a message within another;
    /// errc::invalid_length for one that is not in its shortest form, or has 64 bits; errc::payload_too_large, as soon
    /// as the length is known; errc::too_many_fragments; errc::invalid_close_code, also for half a code;
    /// errc::invalid_utf8 in text, as soon as it cannot become valid, and in a reason. The offset is always 0. After an
    /// error every call returns it again; after a close frame all input is dropped. If there is no memory for what has
    /// arrived, the call throws, and the next ones return errc::payload_too_large.
    [[nodiscard]] result<std::optional<message_event>> read(std::span<char>& input) {
        release();
        if (stage_ == stage::over) return end(input);
        std::span<char> part;
        for (;;) {
            if (stage_ == stage::header) {
                auto const begun = begin_frame(input, part);
                if (!begun) return fail(begun.error().code, input);
                if (!*begun) return std::nullopt;
            }
            auto const event = is_control(frame_) ? read_control(input, part) : read_data(input, part);
            if (!event) return fail(event.error().code, input);
            if (*event || stage_ == stage::payload) return event;
        }
    }

    /// Frees what is kept. All input is dropped from now on.
    void stop() noexcept {
        stage_ = stage::over;
        delivered_ = delivery::none;
        forget();
    }

    /// Which end this is.
    [[nodiscard]] role own_role() const noexcept { return role_; }

private:
    static constexpr std::size_t largest_limit = std::numeric_limits<std::size_t>::max() / 4;

    enum class stage : std::uint8_t { header, payload, over };
    enum class delivery : std::uint8_t { none, tail, all };

    struct header {
        opcode code = {};
        fragment position = {};
        std::size_t size = 0;
        std::uint64_t length = 0;
        mask_key key{};
    };

    // Reads a header and checks it, as far as it has arrived. Nothing if it is not whole. `part` is what has arrived of
    // the message in this input.
    [[nodiscard]] result<std::optional<header>> read_header(std::string_view bytes, std::size_t part) const noexcept {
        auto const byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
        if (bytes.size() < 2) return std::nullopt;
        if (auto const good = check_start(byte(0), byte(1)); !good) return good.error();

        header h{static_cast<opcode>(byte(0) & 0x0fu), (byte(0) & 0x80u) != 0 ? fragment::last : fragment::not_last, 2};
        h.length = byte(1) & 0x7fu;
        if (h.length >= 126) {
            std::size_t const extended = h.length == 126 ? 2 : 8;
            if (bytes.size() < h.size + extended) return std::nullopt;
            h.length = 0;
            for (std::size_t i = 0; i != extended; ++i) h.length = h.length << 8u | byte(h.size + i);
            h.size += extended;
            if (h.length < (extended == 2 ? 126u : 0x10000u) || h.length >> 63u != 0) return errc::invalid_length;
        }
        std::size_t const before = kept_.size() - tail_ + part;
        if (!is_control(h.code) && h.length > max_message_ - before) return errc::payload_too_large;

        if (role_ == role::server) {
            if (bytes.size() < h.size + h.key.size()) return std::nullopt;
            std::copy_n(bytes.data() + h.size, h.key.size(), h.key.data());
            h.size += h.key.size();
        }
        return h;
    }

    [[nodiscard]] result<void> check_start(unsigned first, unsigned second) const noexcept {
        auto const code = static_cast<opcode>(first & 0x0fu);
        if ((first & 0x70u) != 0) return errc::reserved_bits;
        if (code > opcode::pong || (code > opcode::binary && code < opcode::close)) return errc::unknown_opcode;
        if (((second & 0x80u) != 0) != (role_ == role::server)) return errc::invalid_masking;
        if (is_control(code)) {
            bool const is_good = (first & 0x80u) != 0 && (second & 0x7fu) <= max_control_payload;
            return is_good ? result<void>() : errc::invalid_control_frame;
        }
        if ((code == opcode::continuation) != is_within_message()) return errc::unexpected_fragment;
        if (is_within_message() && fragments_ >= max_fragments_) return errc::too_many_fragments;
        return {};
    }

    [[nodiscard]] bool is_within_message() const noexcept { return message_ != opcode::continuation; }

    // Takes a header. False if it is not whole: what has arrived of it is kept.
    [[nodiscard]] result<bool> begin_frame(std::span<char>& input, std::span<char> part) {
        std::array<char, frame_header::longest> gathered{};
        std::string_view bytes(input.data(), std::min(input.size(), gathered.size()));
        if (tail_ != 0) {
            auto const end = std::copy_n(kept_.end() - tail_, tail_, gathered.begin());
            auto const room = static_cast<std::size_t>(gathered.end() - end);
            auto const more = std::copy_n(bytes.begin(), std::min(bytes.size(), room), end);
            bytes = {gathered.data(), static_cast<std::size_t>(more - gathered.begin())};
        }
        auto const h = read_header(bytes, part.size());
        if (!h) return h.error();
        if (!*h) {
            keep(part);
            keep_tail(take(input, input.size()));
            return false;
        }
        input = input.subspan((*h)->size - tail_);
        drop_tail();
        start(**h);
        return true;
    }

    void start(header const& h) noexcept {
        stage_ = stage::payload;
        frame_ = h.code;
        key_ = h.key;
        phase_ = 0;
        left_ = static_cast<std::size_t>(h.length); // at most max_message_
        if (is_control(h.code)) return;
        last_ = h.position;
        ++fragments_;
        if (h.code != opcode::continuation) message_ = h.code;
    }

    // Takes bytes of a data frame. Returns the message if it is whole.
    [[nodiscard]] result<std::optional<message_event>> read_data(std::span<char>& input, std::span<char>& part) {
        std::span<char> const bytes = take_payload(input);
        if (message_ == opcode::text)
            if (auto const good = utf8_.push({bytes.data(), bytes.size()}); !good) return good.error();
        add(bytes, part);
        if (left_ != 0) {
            keep(part);
            return std::nullopt;
        }
        stage_ = stage::header;
        if (last_ == fragment::not_last) return std::nullopt;
        return end_message(part);
    }

    [[nodiscard]] result<std::optional<message_event>> end_message(std::span<char> part) noexcept {
        bool const is_text = message_ == opcode::text;
        if (is_text && !utf8_.is_complete()) return errc::invalid_utf8;
        message_ = opcode::continuation;
        fragments_ = 0;
        delivered_ = delivery::all;
        auto const kind = is_text ? frame_kind::text : frame_kind::binary;
        auto const data = kept_.empty() ? part : std::span<char>(kept_);
        return message_event{.type = message_event_type::message, .kind = kind, .data = data};
    }

    // Takes bytes of a control frame. Returns the frame if it is whole. A message around it is kept first, so that an
    // event never leaves anything behind in the input.
    [[nodiscard]] result<std::optional<message_event>> read_control(std::span<char>& input, std::span<char> part) {
        keep(part);
        std::span<char> bytes = take_payload(input);
        if (left_ != 0 || tail_ != 0) {
            keep_tail(bytes);
            if (left_ != 0) return std::nullopt;
            bytes = std::span<char>(kept_).last(tail_);
        }
        stage_ = stage::header;
        delivered_ = delivery::tail;
        if (frame_ == opcode::close) return read_close(bytes);
        auto const type = frame_ == opcode::ping ? message_event_type::ping : message_event_type::pong;
        return message_event{.type = type, .data = bytes};
    }

    [[nodiscard]] result<std::optional<message_event>> read_close(std::span<char> body) noexcept {
        stage_ = stage::over;
        delivered_ = delivery::all;
        if (body.empty()) return message_event{.type = message_event_type::close};
        if (body.size() == 1) return errc::invalid_close_code;
        auto const byte = [body](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(body[i])); };
        auto const code = static_cast<std::uint16_t>(byte(0) << 8u | byte(1));
        if (!may_be_sent(code)) return errc::invalid_close_code;
        auto const reason = body.subspan(2);
        if (auto const good = utf8::validate({reason.data(), reason.size()}); !good) return good.error();
        return message_event{.type = message_event_type::close, .code = static_cast<close_code>(code), .data = reason};
    }

    static std::span<char> take(std::span<char>& input, std::size_t size) noexcept {
        auto const taken = input.first(size);
        input = input.subspan(size);
        return taken;
    }

    // What has arrived of the payload, unmasked.
    std::span<char> take_payload(std::span<char>& input) noexcept {
        auto const bytes = take(input, std::min(left_, input.size()));
        if (role_ == role::server) mask(bytes, key_, phase_);
        phase_ = static_cast<std::uint8_t>((phase_ + bytes.size()) % key_.size());
        left_ -= bytes.size();
        return bytes;
    }

    // Adds bytes to the message: to what is kept, or else to `part`, behind which they lie in the same input.
    void add(std::span<char> bytes, std::span<char>& part) {
        if (!kept_.empty()) return append(bytes);
        if (part.empty()) {
            part = bytes;
            return;
        }
        std::ranges::copy(bytes, part.data() + part.size()); // past a header, to the front
        part = {part.data(), part.size() + bytes.size()};
    }

    // Keeps the bytes of the message that lie in the input. Then nothing else is kept.
    void keep(std::span<char> part) {
        if (!part.empty()) append(part);
    }

    // Keeps bytes of a header or a control frame, behind the message.
    void keep_tail(std::span<char> bytes) {
        append(bytes);
        tail_ = static_cast<std::uint8_t>(tail_ + bytes.size());
    }

    void drop_tail() noexcept {
        kept_.resize(kept_.size() - tail_);
        tail_ = 0;
    }

    void append(std::span<char> bytes) {
        if (bytes.size() > kept_.capacity() - kept_.size()) grow(kept_.size() + bytes.size());
        kept_.append(bytes.data(), bytes.size());
    }

    // Makes room for `size` bytes: grows by doubling, but never beyond what the frames that have begun can need;
    // std::string alone would go beyond. If there is no memory, the message was too large.
    void grow(std::size_t size) {
        bool const is_last = is_within_message() && last_ == fragment::last;
        std::size_t const most = is_last ? size + left_ : max_message_ + max_control_payload;
        core_detail::rollback out_of_memory([this]() noexcept { give_up(errc::payload_too_large); });
        std::string larger;
        larger.reserve(std::max(size, std::min(size * 2, most)));
        larger.append(kept_);
        kept_.swap(larger);
        out_of_memory.commit();
    }

    // Frees what the last call has returned.
    void release() noexcept {
        if (delivered_ == delivery::none) return;
        if (delivered_ == delivery::tail) drop_tail();
        if (delivered_ == delivery::all || kept_.empty()) forget();
        delivered_ = delivery::none;
    }

    void forget() noexcept {
        if (!core_detail::prefers_small_code && kept_.capacity() <= std::string().capacity())
            kept_.clear(); // nothing to free, as after most messages
        else
            std::string().swap(kept_);
        tail_ = 0;
    }

    [[nodiscard]] result<std::optional<message_event>> fail(errc code, std::span<char>& input) noexcept {
        give_up(code);
        return end(input);
    }

    void give_up(errc code) noexcept {
        stop();
        failure_ = code;
    }

    [[nodiscard]] result<std::optional<message_event>> end(std::span<char>& input) const noexcept {
        input = {};
        if (failure_ != errc{}) return failure_;
        return std::nullopt;
    }

    // The message as far as it has come, if not all of it lies in the input; then `tail_` bytes of a header or of a
    // control frame.
    std::string kept_;
    std::size_t max_message_;
    std::size_t left_ = 0; // of the frame's payload
    std::uint32_t max_fragments_;
    std::uint32_t fragments_ = 0;
    mask_key key_{};
    utf8::stream_validator utf8_;
    std::uint8_t phase_ = 0; // of the key
    std::uint8_t tail_ = 0;
    role role_;
    stage stage_ = stage::header;
    delivery delivered_ = delivery::none;
    opcode frame_ = opcode::continuation;
    opcode message_ = opcode::continuation; // of its first frame; continuation if there is no message
    fragment last_ = fragment::last;
    errc failure_{};
};

} // namespace socketless::inline v0::websocket

#include <socketless/core/detail/epilogue.hpp>
