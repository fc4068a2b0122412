// How a wire client works: what the protocol wants becomes requests and frames, and the bytes of its connections become
// answers and messages for it. wire::client is its face.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/cookies.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/url.hpp>
#include <socketless/http/whole_body.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/client_options.hpp>
#include <socketless/wire/detail/client_connection.hpp>
#include <socketless/wire/detail/client_protocol.hpp>
#include <socketless/wire/detail/connection_handle.hpp>
#include <socketless/wire/transmit.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

// Adds the parameters of a URL to those of the options, unless they have one of the same name.
void add_query(std::vector<std::pair<std::string, std::string>>& parameters, std::string_view query);

// Inputs wait in the order in which they came, and one step of `take_input` reads one answer or one message of them: so
// the protocol, which then says what it means, never has more than that to remember.
//
//                    proxy +--> tunnelling --+--> securing --+
//     connecting ----------+                 |               |
//          |               '-----------------+---------------+--> open: HTTP -101-> WebSocket
//          |                                                         |                 | closes
//          |                                                         |                 v
//          '--- failure, deadline, the end of the connection --------+------------> lingering
//                                           v                        v                 v
//                                        closing <---------------------------------- closing
class client_core {
public:
    // The random source must outlive this.
    client_core(client_protocol& protocol, http::url const& url, client_options options, random_source const& random,
                time_point now);
    client_core(client_core const&) = delete;
    client_core& operator=(client_core const&) = delete;
    ~client_core() = default;

    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    [[nodiscard]] std::size_t connection_count() const noexcept { return connections_.size(); }
    [[nodiscard]] errc failure() const noexcept { return failure_; }

    //=== what happened ===//

    void connected(connection_id id, time_point now);
    void received(connection_id id, std::span<char> bytes, time_point now);
    void ended(connection_id id, time_point now);
    void closed(connection_id id, time_point now);
    void pause(connection_id id);
    void resume(connection_id id);
    void handle_timeout(time_point now);

    // Hands the next answer or message to the protocol; false if there is no whole one.
    bool take_input();

    //=== what to do, when to come back ===//

    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer);
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept;

private:
    static constexpr std::uint32_t none = 0xffffffff;

    enum class input_type : std::uint8_t { connected, bytes, ended, closed, timeout, not_possible, done };

    struct input {
        input_type type;
        request_kind kind;     // not_possible: of the request
        std::uint64_t id;      // of the connection; not_possible: of the exchange
        std::span<char> bytes; // what is left of them
        time_point now;
    };

    //=== the connections ===//

    [[nodiscard]] connection_handle handle(std::uint32_t index) const noexcept {
        return {index, connections_[index].generation()};
    }
    [[nodiscard]] std::uint32_t find_exchange(std::uint64_t exchange) const noexcept;
    [[nodiscard]] std::uint32_t find_idle() const noexcept;
    [[nodiscard]] static bool is_idle(client_connection const& c) noexcept;
    [[nodiscard]] std::uint32_t make_connection();
    void input_for(input_type type, connection_id id, std::span<char> bytes, time_point now);
    void push_input(input_type type, client_connection& c, connection_id id, std::span<char> bytes, time_point now);
    void pass_time(time_point now);
    void arm(client_connection& c, milliseconds wait) noexcept { c.deadline = deadline(now_, wait); }
    void enter(client_connection& c, client_phase phase);
    void tell_failure(request_kind kind, std::uint64_t exchange);
    void let_go(client_connection& c);
    void close_now(client_connection& c);
    void try_close(client_connection& c) noexcept;
    void lose(client_connection& c);
    void send_again(client_connection& c);
    void fail(connection_id id) noexcept;

    //=== what comes ===//

    [[nodiscard]] bool take(std::uint32_t index, input& i);
    void take_connected(client_connection& c);
    [[nodiscard]] bool take_bytes(client_connection& c, input& i);
    void take_end(client_connection& c);
    void take_closed(std::uint32_t index);
    void take_head(client_connection& c);
    void take_answer(client_connection& c, std::span<char> rest);
    void take_tunnel(client_connection& c, std::span<char> rest);
    void take_handshake(client_connection& c);
    void keep_cookies(client_connection const& c);
    [[nodiscard]] bool take_message(client_connection& c, input& i);

    //=== what the protocol wants ===//

    void perform(engineio::transmit const& t);
    void begin(engineio::transmit const& t, request_kind kind);
    void end_channel(engineio::channel_id channel);
    void write_request(engineio::transmit const& t, request_kind kind, websocket::key_value const& key);
    void write_tunnel_request(std::string& out);
    [[nodiscard]] std::array<headers_type const*, 2> headers_of(request_kind kind) const noexcept;
    void put_field(request_kind kind, std::string_view name, std::string_view value);
    void put_own_fields(request_kind kind);
    [[nodiscard]] bool has_offered(std::string_view subprotocol) const noexcept;

    //=== bytes out ===//

    [[nodiscard]] websocket::mask_key next_key();
    [[nodiscard]] transmit send(std::uint32_t index, std::string_view data) const noexcept;
    [[nodiscard]] std::optional<transmit> next_step(std::uint32_t index, std::string& buffer);
    void connect(client_connection& c, transmit& t) noexcept;
    void send_request(client_connection& c, transmit& t);
    void write_control_frames(websocket::connection& ws, std::string& out);
    [[nodiscard]] std::optional<transmit> send_frames(std::uint32_t index, std::string& buffer);

    client_protocol& protocol_;
    client_options options_;
    random_source const& random_;
    time_point now_;
    std::string host_;      // to connect to
    std::string authority_; // of Host
    std::string tunnel_;    // the host and the port, for the proxy
    http::url proxy_;
    std::string proxy_credentials_; // the value of Proxy-Authorization
    std::uint16_t port_;
    bool is_secure_;
    bool is_good_; // the options
    errc failure_{};
    core_detail::slot_map<client_connection, 1> connections_; // they are large and few
    core_detail::fifo<input> inputs_;
    http::cookie_jar cookies_;
    http::whole_body body_; // of the answer that the protocol reads
    std::string scratch_;
    std::string request_;             // that is being written
    std::vector<http::field> fields_; // of it
    std::string cookie_;              // its cookies
    std::array<std::byte, 256> random_bytes_{};
    std::size_t random_used_ = random_bytes_.size();
};

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
