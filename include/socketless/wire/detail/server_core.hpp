// How a wire server works: the bytes of its connections become requests and messages for the protocol, and what the
// protocol has to say becomes bytes. wire::server is its face.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/index_queue.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/request.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/detail/connection_handle.hpp>
#include <socketless/wire/detail/server_connection.hpp>
#include <socketless/wire/detail/server_protocol.hpp>
#include <socketless/wire/detail/shared_frames.hpp>
#include <socketless/wire/request.hpp>
#include <socketless/wire/server_options.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// Inputs wait in the order in which they came, and one step of `take_input` reads one request or one message of them:
// so the protocol, which then says what it means, never has more than that to remember.
//
// A request is answered before the next one of its connection is read. What comes meanwhile waits, within a limit.
//
//                     +------------------------------+
//     accepted -----> | open: HTTP -101-> WebSocket  | --- the client has gone, a deadline ---+
//                     +------------------------------+                                        |
//                            | the last answer, a close frame                                 |
//                            v                                                                v
//                          ending --- all is written ---> lingering --- client ends -----> closing
class server_core {
public:
    server_core(server_protocol& protocol, server_options options, time_point now);
    server_core(server_core const&) = delete;
    server_core& operator=(server_core const&) = delete;
    ~server_core() = default;

    [[nodiscard]] server_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t connection_count() const noexcept { return connections_.size(); }
    [[nodiscard]] bool is_done() const noexcept {
        return is_closing_ && connections_.size() == 0 && protocol_.session_count() == 0;
    }

    //=== what happened ===//

    void accepted(connection_id id, std::string_view address, time_point now);
    void received(connection_id id, std::span<char> bytes, time_point now);
    void ended(connection_id id, time_point now);
    void closed(connection_id id, time_point now);
    void pause(connection_id id);
    void resume(connection_id id);
    void handle_timeout(time_point now);

    // Hands the next request or message to the protocol; false if there is no whole one.
    bool take_input();

    //=== what the application wants ===//

    result<void> respond(engineio::exchange_id exchange, response const& answer, time_point now);
    void close();

    //=== what to do, when to come back ===//

    [[nodiscard]] std::optional<request> poll_request();
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer);
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept;

private:
    static constexpr std::uint32_t none = 0xffffffff;
    // Bytes of requests that may wait for the answer to the one before them.
    static constexpr std::size_t max_early = std::size_t{64} * 1024;

    enum class input_type : std::uint8_t { bytes, early, early_bytes, ended, unanswered, closed, timeout };

    struct input {
        input_type type;
        connection_handle connection;
        std::span<char> bytes; // what is left of them
        time_point now;
        engineio::exchange_id exchange = 0; // unanswered
    };

    // A request whose client has ended its side.
    struct unanswered_request {
        connection_handle connection;
        engineio::exchange_id exchange;
    };

    // The parts of an answer that are not the connection's.
    struct answer {
        int status = 200;
        std::string_view content_type = {};
        std::string_view body = {};
        std::string_view sid = {}; // of the session that begins
        std::span<http::field const> fields = {};
    };

    // What is gathered for one connection, to be written at once.
    struct piece {
        std::string& buffer;
        std::uint32_t receiver = none;
        std::string_view lead = {}; // a shared frame, instead of the buffer

        [[nodiscard]] std::size_t size() const noexcept { return buffer.size() + lead.size(); }
    };

    using offered_subprotocols = websocket::subprotocol_list<http::field_view>;

    //=== the connections ===//

    [[nodiscard]] connection_handle handle(std::uint32_t index) const noexcept {
        return {index, connections_[index].generation()};
    }
    [[nodiscard]] std::uint32_t find(connection_id id) const;
    [[nodiscard]] bool is_reachable(connection_handle h) const noexcept;
    void input_for(input_type type, connection_id id, std::span<char> bytes, time_point now);
    void push_input(input_type type, std::uint32_t index, std::span<char> bytes, time_point now);
    void pass_time(time_point now);
    void arm(std::uint32_t index, milliseconds wait);
    void set_deadline(std::uint32_t index);
    void expire(std::uint32_t index);
    void mark_busy(std::uint32_t index) noexcept { with_output_.push(index); }
    void end(std::uint32_t index);
    void close_now(std::uint32_t index);
    void try_close(std::uint32_t index) noexcept;
    void let_go(std::uint32_t index);
    void forget(std::uint32_t index);
    void fail(std::uint32_t index) noexcept;

    //=== what comes ===//

    [[nodiscard]] static bool is_early_next(server_connection const& c) noexcept;
    [[nodiscard]] bool take(std::uint32_t index, input& i);
    [[nodiscard]] bool take_bytes(std::uint32_t index, input& i);
    void take_end(std::uint32_t index);
    void close_after_write(std::uint32_t index);
    void take_silence(std::uint32_t index, engineio::exchange_id exchange);

    //=== HTTP ===//

    static void keep_early(server_http& h, std::span<char> bytes);
    [[nodiscard]] bool take_request(std::uint32_t index, input& i);
    void take_head(std::uint32_t index, std::span<char> rest);
    void wait_for_more(std::uint32_t index, time_point now);
    void take_error(std::uint32_t index, errc error, time_point now);
    [[nodiscard]] engineio::http_request describe(std::uint32_t index, std::span<char> body) const;
    void hand_in(std::uint32_t index, time_point now);
    void hand_to_protocol(std::uint32_t index, std::span<char> body, time_point now, bool is_too_large = false);
    void hand_to_application(std::uint32_t index);
    [[nodiscard]] static bool is_handshake(std::string_view target);
    void upgrade(std::uint32_t index, time_point now);

    //=== answers ===//

    void refuse(std::uint32_t index, int status);
    void refuse_websocket(std::uint32_t index, errc error);
    void answer_preflight(std::uint32_t index);
    void put_answer(std::uint32_t index, answer const& a);
    void write_answer(server_http const& h, answer const& a, std::string& out);
    void add_cors(server_http const& h);
    void add_own_fields();
    [[nodiscard]] std::string cookie_of(std::string_view sid) const;
    [[nodiscard]] std::string choose_subprotocol(offered_subprotocols const& offered) const;
    void write_handshake(std::uint32_t index, websocket::handshake_offer<http::field_view> const& offer);
    void end_exchange(std::uint32_t index);

    //=== WebSocket ===//

    [[nodiscard]] bool take_message(std::uint32_t index, input& i);
    void end_channel(std::uint32_t index);
    void close_channel(std::uint32_t index);

    //=== bytes out ===//

    [[nodiscard]] std::uint32_t receiver_of(engineio::transmit const& t);
    [[nodiscard]] static answer answer_of(engineio::transmit const& t);
    void begin(piece& p, std::uint32_t receiver);
    void put(piece& p, engineio::transmit const& t);
    void gather(piece& p);
    void keep(piece& p) noexcept;
    [[nodiscard]] transmit send(piece const& p) const;
    void put_own(std::uint32_t index, std::string& out);
    [[nodiscard]] std::optional<transmit> poll_own(std::string& buffer);
    [[nodiscard]] std::optional<transmit> next_step(std::uint32_t index, std::string& buffer);
    void shrink() noexcept;
    [[nodiscard]] bool end_idle_connections();

    server_protocol& protocol_;
    server_options options_;
    time_point now_;
    core_detail::slot_map<server_connection> connections_;
    std::unordered_map<connection_id, std::uint32_t> by_id_;
    core_detail::timer_wheel timers_;
    core_detail::fifo<input> inputs_;
    std::string early_; // the early bytes that are being read
    core_detail::fifo<request> requests_;
    core_detail::index_queue with_output_;
    std::vector<unanswered_request> unanswered_;
    std::string scratch_;
    std::vector<http::field> fields_; // of the answer that is being written
    shared_frames shared_;
    std::optional<connection_handle> next_; // whose piece has begun
    std::string spare_;                     // its buffer
    std::string_view next_lead_;            // its lead
    std::uint32_t exchanges_ = 0;           // how many there were
    bool is_good_;                          // the options
    bool is_closing_ = false;
    bool are_idle_ended_ = false;
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
