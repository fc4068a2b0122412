// What a node of a cluster tells its application.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// What an event says.
enum class event_type : std::uint8_t {
    /// Another node has called `server_side_emit`: `nsp`, `name`, `args`, and `reply` if it wants a reply.
    server_side_event,
    /// A client has acknowledged an event of `audience::emit_with_ack`: `id`, `answer`.
    ack,
    /// A node has replied to `server_side_emit_with_ack`: `id`, `answer`.
    reply,
    /// The sockets of one node, for `fetch_sockets`: `id`, `sockets`. This node's own come first.
    sockets,
    /// Nothing more comes for `id`: `expected`, `answers`. All have answered, the time ran out, or those that had to
    /// answer are gone.
    complete,
    /// There is another node: `node`. Not every bus tells.
    node_joined,
    /// It has said goodbye, or not been heard for too long: `node`.
    node_left,
    /// The bus is there: what is sent from now on reaches the others.
    bus_connected,
    /// The bus is lost. Sockets of this node are served as before.
    bus_lost,
    /// Messages could not be kept for the bus, and never reach it: `dropped`.
    dropped,
};

/// A socket of any node. Borrowed from an event.
class remote_socket {
public:
    /// No socket, or one as it came.
    constexpr remote_socket() noexcept = default;
    constexpr explicit remote_socket(socketio::argument whole) noexcept : whole_(whole) {}

    /// Its id: a room of its own, in any call of the cluster.
    [[nodiscard]] std::string sid() const { return find("id").get<std::string>().value_or(std::string()); }
    /// The rooms it is in, that of its id among them: `rooms().get<std::vector<std::string>>()`.
    [[nodiscard]] constexpr socketio::argument rooms() const noexcept { return find("rooms"); }
    /// The application's data.
    [[nodiscard]] constexpr socketio::argument data() const noexcept { return find("data"); }
    /// The handshake: an object with address, url, query, headers, and more from Node.
    [[nodiscard]] constexpr socketio::argument handshake() const noexcept { return find("handshake"); }

private:
    [[nodiscard]] constexpr socketio::argument find(std::string_view key) const noexcept {
        auto const found = whole_.json().find(key);
        return found ? whole_.part(*found) : socketio::argument();
    }

    socketio::argument whole_;
};

/// The sockets of one node: a forward range of `remote_socket`.
class socket_range {
public:
    /// Walks the sockets.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = remote_socket;
        using difference_type = std::ptrdiff_t;

        /// At no socket, or at this one.
        constexpr iterator() noexcept = default;
        constexpr iterator(json::element_range::iterator at, socketio::argument whole) noexcept
            : at_(at), whole_(whole) {}

        /// The socket. Precondition: not at the end.
        [[nodiscard]] constexpr remote_socket operator*() const noexcept { return remote_socket(whole_.part(*at_)); }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() noexcept { return ++at_, *this; }
        constexpr iterator operator++(int) noexcept {
            iterator const old = *this;
            return ++at_, old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept { return a.at_ == b.at_; }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t end) noexcept {
            return i.at_ == end;
        }

    private:
        json::element_range::iterator at_;
        socketio::argument whole_;
    };

    /// No sockets, or those of an array.
    constexpr socket_range() noexcept = default;
    constexpr explicit socket_range(socketio::argument whole) noexcept : whole_(whole) {}

    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return {whole_.json().elements().begin(), whole_}; }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }
    /// How many there are. Linear.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        std::size_t n = 0;
        for (auto i = begin(); i != end(); ++i) ++n;
        return n;
    }

private:
    socketio::argument whole_;
};

/// The right to reply to another node, once. Emptied when it is used. It outlives the event; whether the other node
/// still waits is not known.
class reply_request {
public:
    /// Nothing to reply to.
    reply_request() noexcept = default;
    /// For the nodes: who asks, in which namespace, and what that calls the request.
    reply_request(std::string node, std::string nsp, std::string id) noexcept
        : node_(std::move(node)), nsp_(std::move(nsp)), id_(std::move(id)) {}

    /// Passes the right on: `other` is empty afterwards.
    reply_request(reply_request&& other) noexcept
        : node_(std::move(other.node_)), nsp_(std::move(other.nsp_)), id_(std::exchange(other.id_, {})) {}
    reply_request& operator=(reply_request&& other) noexcept {
        node_ = std::move(other.node_);
        nsp_ = std::move(other.nsp_);
        id_ = std::exchange(other.id_, {});
        return *this;
    }
    ~reply_request() = default;

    /// Whether a reply is wanted and has not been given.
    [[nodiscard]] explicit operator bool() const noexcept { return !id_.empty(); }
    /// Who asks.
    [[nodiscard]] std::string const& node() const noexcept { return node_; }
    /// In which namespace.
    [[nodiscard]] std::string const& nsp() const noexcept { return nsp_; }
    /// What the other node calls the request.
    [[nodiscard]] std::string const& id() const noexcept { return id_; }
    /// It has been used.
    void clear() noexcept { id_.clear(); }

private:
    std::string node_;
    std::string nsp_;
    std::string id_;
};

/// What happened. Views in an event are valid until the next call of `node::poll_event`.
struct event {
    /// What happened.
    event_type type = event_type::complete;
    /// The namespace.
    std::string_view nsp = {};
    /// The node that this comes from, where the bus tells.
    std::string_view node = {};
    /// What the call that this answers has returned.
    std::uint64_t id = 0;
    /// server_side_event: the name and the arguments, as those of an event of a client.
    socketio::message packet = {};
    /// server_side_event: the right to reply.
    reply_request reply = {};
    /// ack, reply: the first argument; none if there was no argument.
    socketio::argument answer = {};
    /// sockets: those of one node.
    socket_range sockets = {};
    /// complete: how many clients (acks) or other nodes (replies, sockets) were to answer, as far as that is known, and
    /// how many have answered. All have if the two are the same and `is_whole`. The first is the answer of
    /// `count_nodes`.
    std::uint64_t expected = 0;
    std::uint64_t answers = 0;
    /// complete: whether every node that had to say something has said it in time.
    bool is_whole = false;
    /// dropped: how many since the last event of this type.
    std::uint64_t dropped = 0;

    /// server_side_event: the name.
    [[nodiscard]] socketio::event_name name() const noexcept {
        return socketio::event_name(packet.packet.event_name());
    }
    /// server_side_event: the arguments, without the name.
    [[nodiscard]] socketio::arguments args() const noexcept { return packet.arguments(); }
    /// The arguments as C++ values: see `socketio::arguments::get`.
    template <class... T>
    [[nodiscard]] auto get() const {
        return args().template get<T...>();
    }
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
