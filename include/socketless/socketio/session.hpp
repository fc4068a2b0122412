// The vocabulary that Socket.IO sessions share, client and server: what happened, what to do, why it ended.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// A socket: one side's end of a namespace on a connection. A cheap value that never dangles: once the socket is gone
/// it names nothing.
struct socket_handle {
    /// Where the session keeps it.
    std::uint32_t index = 0;
    /// Distinguishes the sockets that it has kept there.
    std::uint32_t generation = 0;

    friend constexpr bool operator==(socket_handle, socket_handle) noexcept = default;
};

/// Why a socket or its connection ended. `name` gives the reference's words.
enum class disconnect_reason : std::uint8_t {
    // The connection ended.
    /// See engineio::close_reason.
    transport_error,
    transport_close,
    forced_close,
    ping_timeout,
    parse_error,
    /// More was queued than the limit: the peer does not read.
    queue_overflow,
    /// The connection could not be opened in time.
    open_timeout,

    // On a server.
    /// The client has left the namespace.
    client_namespace_disconnect,
    /// The server has disconnected the socket.
    server_namespace_disconnect,
    /// The server is shutting down.
    server_shutting_down,
    /// The server has closed the connection: the client broke the rules, or joined no namespace in time.
    forced_server_close,

    // On a client.
    /// The server has disconnected the socket, or the application has done so.
    io_server_disconnect,
    io_client_disconnect,
    /// The server speaks another revision of the protocol: event_type::connect_error.
    unsupported_revision,
};

/// The words of the reference.
[[nodiscard]] constexpr std::string_view name(disconnect_reason reason) noexcept {
    constexpr std::string_view names[] = {"transport error",
                                          "transport close",
                                          "forced close",
                                          "ping timeout",
                                          "parse error",
                                          "queue overflow",
                                          "open timeout",
                                          "client namespace disconnect",
                                          "server namespace disconnect",
                                          "server shutting down",
                                          "forced server close",
                                          "io server disconnect",
                                          "io client disconnect",
                                          "unsupported protocol version"};
    return names[static_cast<std::size_t>(reason)];
}

/// Whether a server lets its client recover from such an end: the connection was lost, rather than left by one side,
/// broken by what the client sent, or choked with what it did not read.
[[nodiscard]] constexpr bool is_recoverable(disconnect_reason reason) noexcept {
    using enum disconnect_reason;
    if (reason == parse_error || reason == queue_overflow) return false;
    return reason <= open_timeout || reason == server_shutting_down || reason == forced_server_close;
}

/// What an event says. Peers choose `event::name`. They cannot choose the event_type.
enum class event_type : std::uint8_t {
    /// Server: a client asks to join `nsp` with `data`, its auth. The application accepts or refuses it, or it
    /// disconnects before. Client: the client is about to join `nsp` and asks for the auth.
    connecting,
    /// The socket is connected: `sid`, `recovered`.
    connected,
    /// Client: the server has refused: `message`, `data`.
    connect_error,
    /// The peer has emitted an event: `name`, `args`, and `ack` if it asks for an acknowledgement.
    event,
    /// An acknowledgement that was awaited has come to its one outcome: `id`, `outcome` and, if answered, `args`.
    ack,
    /// Server: the last of a broadcast's acknowledgements has come to its outcome: `id`, `answers`, `expected`.
    acks_complete,
    /// The socket is gone: `reason`. Nothing follows from it until it is connected again.
    disconnected,
    /// The connection is gone: `reason`.
    closed,

    // From the whole client only.
    /// The connection is open.
    opened,
    /// It has moved to a better transport.
    upgraded,
    /// It could not be opened: `reason`.
    open_failed,
    /// Another attempt to open begins: `attempt`.
    reconnecting,
    /// There will be no other attempt.
    reconnect_failed,
};

/// Says that a client asks for the auth each time it joins the namespace: event_type::connecting, which the
/// application answers with `authenticate`.
struct ask_for_auth_t {};
inline constexpr ask_for_auth_t ask_for_auth{};

/// How waiting for an acknowledgement ends, exactly once: it came, its time ran out, or its socket is gone.
enum class ack_outcome : std::uint8_t { answered, timed_out, disconnected };

/// The name of an event, borrowed from its packet: a JSON string or number. Compares with text: a number by its digits,
/// as JavaScript's property names do.
class event_name {
public:
    /// No name, or that of a packet.
    constexpr event_name() noexcept = default;
    constexpr explicit event_name(json::text json) noexcept : json_(json) {}

    /// The name as JSON.
    [[nodiscard]] constexpr json::text json() const noexcept { return json_; }

    /// A copy, without escapes. A name with half a surrogate pair comes as it is written.
    [[nodiscard]] std::string str() const { return json_.get<std::string>().value_or(std::string(json_.raw())); }

    friend constexpr bool operator==(event_name a, std::string_view b) noexcept {
        return a.json_.is(json::kind::string) ? a.json_.equals(b) : a.json_.raw() == b;
    }

private:
    json::text json_;
};

/// The right to acknowledge an event, once. Emptied when it is used; outlives the event, but not the socket.
class ack_request {
public:
    /// Nothing to acknowledge.
    ack_request() noexcept = default;
    /// For the sessions: the event of `socket` that its peer knows by `id`.
    ack_request(socket_handle socket, std::uint64_t id, std::uint32_t connection = 0) noexcept
        : socket_(socket), connection_(connection), id_(id), is_due_(true) {}

    /// Passes the right on: `other` is empty afterwards.
    ack_request(ack_request&& other) noexcept { *this = std::move(other); }
    ack_request& operator=(ack_request&& other) noexcept {
        socket_ = other.socket_;
        connection_ = other.connection_;
        id_ = other.id_;
        is_due_ = std::exchange(other.is_due_, false);
        return *this;
    }

    /// Whether an acknowledgement is asked for and has not been given.
    [[nodiscard]] explicit operator bool() const noexcept { return is_due_; }

    /// The socket that has got the event.
    [[nodiscard]] socket_handle socket() const noexcept { return socket_; }
    /// The id by which the peer knows it.
    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    /// How often a client's socket had been connected when the event came.
    [[nodiscard]] std::uint32_t connection() const noexcept { return connection_; }

    /// It has been used.
    void clear() noexcept { is_due_ = false; }

private:
    socket_handle socket_;
    std::uint32_t connection_ = 0;
    std::uint64_t id_ = 0;
    bool is_due_ = false;
};

/// What happened, for the application. Views in an event are valid until the next `poll_event`: see core/input.hpp.
/// Emitting does not end that, nor does the end of the connection.
struct event {
    // Not zeroed first, as `= default` would have it: it is large, and made often.
    /// Empty: sessions fill it.
    event() noexcept {} // NOLINT(modernize-use-equals-default)
    /// For the sessions: what has happened to a socket by a packet.
    event(event_type what, socket_handle whom, std::string_view whose, socketio::packet const& p,
          std::span<byte_view const> attachments) noexcept
        : type(what), socket(whom), nsp(whose), packet{p, attachments} {}

    /// What happened.
    event_type type = event_type::closed;
    /// The socket it happened to; of no meaning for what happens to the connection.
    socket_handle socket = {};
    /// The namespace of the socket.
    std::string_view nsp = {};
    /// connected: the socket's id. Empty on a client of revision 4, to which the server does not send it.
    std::string_view sid = {};
    /// connected: the server has restored the state of an earlier connection, and the missed events follow. Server,
    /// connecting: it restores that if the application accepts the client; if that has become impossible by then, it
    /// closes the connection instead, so that the client comes anew.
    bool recovered = false;
    /// connect_error: what was wrong, in the server's words: a string or nothing. In this library's words where
    /// `reason` is disconnect_reason::unsupported_revision.
    json::text message = {};
    /// connecting: the client's auth, an object or nothing. connect_error: what came with the message.
    json::text data = {};
    /// connecting, revision 4: what follows '?' in the namespace.
    std::string_view query = {};
    /// event, ack: the packet and its attachments.
    socketio::message packet = {};
    /// event: the right to acknowledge it, if the peer asks for that.
    ack_request ack = {};
    /// ack, acks_complete: the id that the emitting call returned.
    std::uint64_t id = 0;
    /// ack: the outcome.
    ack_outcome outcome = ack_outcome::answered;
    /// acks_complete: how many sockets were asked, and how many of them have answered.
    std::size_t expected = 0;
    std::size_t answers = 0;
    /// open_failed, closed: the HTTP status of the answer that was the cause; 0 if the cause was another. `data` is its
    /// body if that is a JSON object, as Engine.IO servers send it ({"code":1,"message":"Session ID unknown"}), and
    /// `message` the message in it. See engineio::decode_request_error.
    int status = 0;
    /// disconnected, closed, open_failed. connect_error: disconnect_reason::unsupported_revision where the server
    /// speaks another revision (Socket.IO 2 speaks 4, later ones 5), as far as its answer to CONNECT shows that.
    disconnect_reason reason = disconnect_reason::transport_error;
    /// reconnecting, opened: how many attempts there were since the connection was lost.
    std::uint64_t attempt = 0;

    /// event: the name.
    [[nodiscard]] event_name name() const noexcept { return event_name(packet.packet.event_name()); }
    /// event, ack: the arguments, without the name.
    [[nodiscard]] arguments args() const noexcept { return packet.arguments(); }
    /// The arguments as C++ values: see `arguments::get`.
    template <class... T>
    [[nodiscard]] auto get() const {
        return args().template get<T...>();
    }
    /// The arguments of an event that declares their types; of an event without arguments, a result<void>.
    template <class... T>
    [[nodiscard]] auto get(typed_event<T...> const&) const {
        if constexpr (sizeof...(T) == 0)
            return result<void>();
        else
            return args().template get<T...>();
    }
};

namespace detail {

// Whether two namespaces are the same. Names begin with '/', and most are nothing more. GCC calls a function of the
// library for ==, but not for std::equal.
[[nodiscard]] inline bool is_same_namespace(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && (a.size() == 1 || std::equal(a.begin(), a.end(), b.begin()));
}

// No event yet. GCC zeroes one that is declared empty, with an instruction that is slow: events are large.
[[nodiscard]] inline std::optional<event> no_event() noexcept {
    return std::nullopt;
}

} // namespace detail

/// What the channel does.
enum class transmit_type : std::uint8_t {
    /// Send `message`.
    message,
    /// Close the connection once all messages before have gone.
    close,
};

/// What to do, for the channel below. `message` is valid until the next non-const call.
struct transmit {
    /// What to do.
    transmit_type type = transmit_type::message;
    /// message: the message to send.
    frame message = {};
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
