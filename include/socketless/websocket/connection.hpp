// One end of a WebSocket connection, after the handshake: messages in and out, with pings and closing seen to.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/text/utf8.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/message_reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::websocket {

/// What a `connection_event` says.
enum class connection_event_type : std::uint8_t {
    /// A whole message: `kind`, `data`.
    message,
    /// The end, exactly once: `code`, `reason`, `how`. No message follows.
    closed,
};

/// How a connection has ended.
enum class closure : std::uint8_t {
    /// By a close frame of the peer.
    clean,
    /// By an error in what the peer sent, or by the end of the stream.
    unclean,
};

/// What has happened to a `connection`. Borrowed: valid until the next call that is not const, as long as the input
/// lives.
struct connection_event {
    /// What has happened.
    connection_event_type type = connection_event_type::closed;
    /// message: its kind.
    frame_kind kind = frame_kind::binary;
    /// closed: how.
    closure how = closure::unclean;
    /// closed: the peer's code, or 1005 if it gave none; the code that answers the peer's error; 1006 if the stream
    /// ended without a close frame.
    close_code code = close_code::abnormal_closure;
    /// closed: the peer's error, or nothing.
    errc error = {};
    /// message: its bytes, which may be changed in place.
    std::span<char> data = {};
    /// closed: the peer's reason.
    std::string_view reason = {};

    /// message: the same as a frame.
    [[nodiscard]] constexpr frame message() const noexcept { return {kind, {data.data(), data.size()}}; }
};

/// One end of a connection, of either role, over any ordered stream of bytes.
///
///     websocket::connection ws(websocket::role::server);
///     for (std::span<char> input = chunk; auto const event = ws.read(input);) use(*event);
///     if (ws.has_output()) ws.write_output(bytes_to_send);
///     if (ws.is_done()) end_the_stream_once_all_is_sent();
///
/// It answers pings and close frames by itself. What it has to say waits for `write_output`, in little memory: of a
/// flood of pings the last one is answered. The states:
///
///     open ----- close() -----> closing          a close frame is due; messages are still read, none is written
///       |                         |
///       +-- the peer's close -----+--> closed    clean; in `open` a close frame with the same code is due
///       +-- the peer's error -----+--> closed    unclean; in `open` a close frame with the error's code is due
///       +-- lost() ---------------+--> closed    unclean, 1006; nothing is due any more
///
/// `closed` is reported when that state is entered. `is_done` holds there as soon as no close frame is due any more.
/// An idle connection owns no memory.
class connection {
public:
    /// An open connection: the handshake is over.
    explicit connection(role own, reader_limits const& limits = {}) noexcept : reader_(own, limits) {}

    /// Takes bytes from the front of `input` and returns the next event, or nothing until there are more: then all of
    /// `input` was taken. Call it until then, also to free the memory of a message. Linear in the bytes taken. For the
    /// limits see `message_reader`.
    [[nodiscard]] std::optional<connection_event> read(std::span<char>& input) {
        while (state_ != state::closed) {
            auto const event = reader_.read(input);
            if (!event) return fail(event.error().code);
            if (!*event) return std::nullopt;
            message_event const& e = **event;
            switch (e.type) {
            case message_event_type::message:
                return connection_event{.type = connection_event_type::message, .kind = e.kind, .data = e.data};
            case message_event_type::ping: note_ping(e.text()); break;
            case message_event_type::pong: break;
            case message_event_type::close: return end_cleanly(e);
            }
        }
        // Frees what the close frame has left, and drops what follows it.
        reader_.read(input).ignore();
        input = {};
        return std::nullopt;
    }

    /// Begins to close: a close frame is due, and no message can be written any more. The peer's messages are
    /// read until its close frame comes; give it a while, then end the stream.
    /// Errors, which leave the connection as it was: errc::not_open if it is closing or closed,
    /// errc::invalid_close_code for a code that may not be sent, errc::message_too_large for a reason that is longer
    /// than `max_close_reason`, errc::invalid_utf8 for one that is not text.
    [[nodiscard]] result<void> close(close_code code = close_code::normal_closure, std::string_view reason = {}) {
        if (state_ != state::open) return errc::not_open;
        if (!may_be_sent(code)) return errc::invalid_close_code;
        if (reason.size() > max_close_reason) return errc::message_too_large;
        if (auto const good = utf8::validate(reason); !good) return good.error();
        if (!reason.empty()) due().reason.assign(reason);
        state_ = state::closing;
        owe_close(code);
        return {};
    }

    /// The stream has ended: nothing is due any more. Returns `closed` if that was not reported yet.
    [[nodiscard]] std::optional<connection_event> lost() noexcept {
        bool const is_news = state_ != state::closed;
        state_ = state::closed;
        owes_pong_ = false;
        owes_close_ = false;
        due_.reset();
        reader_.stop();
        if (!is_news) return std::nullopt;
        return connection_event{};
    }

    /// Whether messages can be written.
    [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }
    /// Whether the closing handshake is over, or has failed, and our part of it was written. A server then ends the
    /// stream, once all that was written has gone out; a client gives the server a while to do so, and then ends it too
    /// (RFC 6455, 7.1.1).
    [[nodiscard]] bool is_done() const noexcept { return state_ == state::closed && !owes_close_; }
    /// Whether `write_output` would write anything.
    [[nodiscard]] bool has_output() const noexcept { return owes_pong_ || owes_close_; }

    /// Appends what is due to `out`: a pong, a close frame. A client's frames are masked with the keys that
    /// `next_key()` returns, a new one each time; a server asks for none.
    template <character_container Output, class NextKey>
    void write_output(Output& out, NextKey&& next_key) {
        if (owes_pong_) write_control(out, opcode::pong, due_ ? due_->pong.view() : std::string_view(), next_key);
        owes_pong_ = false;
        if (owes_close_) write_close(out, next_key);
        owes_close_ = false;
        due_.reset();
    }
    /// The same for a server. Precondition: this is one.
    template <character_container Output>
    void write_output(Output& out) {
        SOCKETLESS_ASSERT(reader_.own_role() == role::server);
        write_output(out, [] { return mask_key(); });
    }

    /// Writes a message as one frame, and returns the size of that. A client masks it with `key`: random, a new one for
    /// each; a server ignores the key. Errors: errc::not_open if the connection is closing or closed,
    /// errc::buffer_too_small if the target is a span. Precondition: text is UTF-8. Linear.
    template <output_target Target>
    [[nodiscard]] result<std::size_t> write_message(Target&& target, frame message, mask_key key) const {
        if (!is_open()) return errc::not_open;
        if (reader_.own_role() == role::client)
            return write_masked_frame(target, opcode_of(message.kind), message.data, key);
        return write_frame(target, opcode_of(message.kind), message.data);
    }
    /// The same for a server. Precondition: this is one.
    template <output_target Target>
    [[nodiscard]] result<std::size_t> write_message(Target&& target, frame message) const {
        SOCKETLESS_ASSERT(reader_.own_role() == role::server);
        return write_message(target, message, mask_key());
    }

private:
    enum class state : std::uint8_t { open, closing, closed };

    struct short_text {
        std::array<char, max_control_payload> bytes{};
        std::uint8_t size = 0;

        void assign(std::string_view text) noexcept {
            size = 0;
            append(text);
        }
        void append(std::string_view text) noexcept {
            SOCKETLESS_ASSERT(text.size() <= bytes.size() - size);
            std::copy_n(text.data(), text.size(), bytes.data() + size);
            size = static_cast<std::uint8_t>(size + text.size());
        }
        [[nodiscard]] std::string_view view() const noexcept { return {bytes.data(), size}; }
    };

    // The payloads of what is due, for as long as it is.
    struct due_payloads {
        short_text pong;
        short_text reason;
    };

    due_payloads& due() {
        if (!due_) due_ = std::make_unique<due_payloads>();
        return *due_;
    }

    void note_ping(std::string_view payload) {
        if (state_ != state::open) return;
        if (due_ || !payload.empty()) due().pong.assign(payload);
        owes_pong_ = true;
    }

    void owe_close(close_code code) noexcept {
        owes_close_ = true;
        code_ = code;
    }

    connection_event end_cleanly(message_event const& e) noexcept {
        bool const has_code = e.code != close_code::no_status_received;
        if (state_ == state::open) owe_close(has_code ? e.code : close_code::normal_closure);
        state_ = state::closed;
        return connection_event{.how = closure::clean, .code = e.code, .reason = e.text()};
    }

    connection_event fail(errc code) {
        if (state_ == state::open) {
            due().reason.assign(close_reason_of(code));
            owe_close(close_code_of(code));
        }
        state_ = state::closed;
        return connection_event{.code = close_code_of(code), .error = code};
    }

    template <class Output, class NextKey>
    void write_close(Output& out, NextKey& next_key) const {
        short_text body;
        auto const code = static_cast<std::uint16_t>(code_);
        std::array<char, 2> const code_bytes{static_cast<char>(static_cast<unsigned char>(code >> 8u)),
                                             static_cast<char>(static_cast<unsigned char>(code & 0xffu))};
        body.assign({code_bytes.data(), code_bytes.size()});
        if (due_) body.append(due_->reason.view());
        write_control(out, opcode::close, body.view(), next_key);
    }

    template <class Output, class NextKey>
    void write_control(Output& out, opcode code, std::string_view payload, NextKey& next_key) const {
        if (reader_.own_role() == role::client)
            write_masked_frame(out, code, payload, next_key()).ignore();
        else
            write_frame(out, code, payload).ignore();
    }

    message_reader reader_;
    std::unique_ptr<due_payloads> due_;
    close_code code_ = close_code::normal_closure; // of the close frame that is due
    state state_ = state::open;
    bool owes_pong_ = false;
    bool owes_close_ = false;
};

} // namespace socketless::inline v0::websocket

#include <socketless/core/detail/epilogue.hpp>
