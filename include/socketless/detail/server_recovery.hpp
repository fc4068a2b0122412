// Connection state recovery of a server: which lost sockets may come back, and what their clients have missed.
#pragma once

#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/engineio/outbox.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/recovery_offset.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// Whether a text may be an id of this server or of another, Node's among them: they are as long, and of the same
// characters.
[[nodiscard]] inline bool is_random_id(std::string_view text) noexcept {
    return text.size() == random_id{}.size() &&
           text.find_first_not_of(core_detail::url_alphabet) == std::string_view::npos;
}

// What recovery knows of a socket: its own secret and, before it is connected, what its client claims.
struct recovery_claim {
    std::string pid;
    std::string offset;
    // See recoverable_session.
    socketio::recovery_offset since = {};
    std::vector<std::string> left = {};
    std::unique_ptr<restored_elsewhere> restored = {}; // by recovery_elsewhere
    bool is_promised = false;                          // the application was told that the state will be recovered
    bool is_kept_elsewhere = false;                    // since the socket was lost

    // The claim of a CONNECT to the state of an earlier connection.
    [[nodiscard]] static recovery_claim of(json::text auth) {
        constexpr std::size_t longest = 41; // of recovery_elsewhere: two numbers of 64 bits and a hyphen
        static_assert(socketio::recovery_offset::size <= longest);
        recovery_claim claimed;
        if (auto const pid = json::detail::string_member(auth, "pid"); is_random_id(pid)) claimed.pid = pid;
        auto const offset = json::detail::string_member(auth, "offset");
        if (offset.size() <= longest) claimed.offset = offset;
        return claimed;
    }

    // Enough for sockets that come and go; a client that returns an offset of an older one gets a fresh session.
    static constexpr std::size_t max_left = 64;

    void note_left(std::string_view room) {
        if (std::ranges::find(left, room) != left.end()) return;
        if (left.size() == max_left) left.erase(left.begin());
        left.emplace_back(room);
    }

    // The client has an event that misleads it: see recovery_store.
    void raise_since(socketio::recovery_offset const& least) noexcept { since = std::max(since, least); }
};

// The state that a socket has again.
struct restored_state {
    socketio::recoverable_session session;
    std::string offset = {};
    std::vector<missed_packet> missed = {}; // if it was elsewhere
};

class server_recovery {
public:
    using messages = std::vector<engineio::shared_message>; // of one packet
    using session = socketio::recoverable_session;

    server_recovery(socketio::recovery_options const& options, random_source const& random) : store_(options, random) {}

    //=== sessions ===//

    // The session that a client may have again, or null. It is kept until `restore` takes it.
    [[nodiscard]] session const* find(recovery_claim const& claimed, std::uint32_t nsp, time_point now) {
        return store_.find(claimed.pid, claimed.offset, nsp, now);
    }

    // A client comes for the first time, or for a session that it may not have: it gets a new secret.
    void begin(recovery_claim& claimed, random_source const& random) const {
        claimed = {.pid = std::string(view(make_random_id(random))), .offset = {}, .since = store_.last_offset()};
    }

    // A client comes back: its socket gets the session that `find` has given.
    [[nodiscard]] restored_state restore(recovery_claim& claimed, session const& kept) noexcept {
        auto taken = store_.take(kept);
        claimed.since = taken.since;
        claimed.left = std::move(taken.left);
        return {std::move(taken), std::exchange(claimed.offset, {})};
    }

    // Keeps the session of a socket that is lost.
    void persist(session lost, recovery_claim const& claimed, socketio::socket_handle socket, time_point now) {
        lost.pid = claimed.pid;
        lost.owner = owner(socket);
        lost.since = claimed.since;
        lost.left = claimed.left;
        store_.persist(std::move(lost), now);
    }

    // The session of a socket that was lost, or null.
    [[nodiscard]] session const* find_of(socketio::socket_handle socket, time_point now) {
        return store_.owned_by(owner(socket), now);
    }
    // Keeps it no longer: the application wants the client out.
    void forget(socketio::socket_handle socket, time_point now) {
        if (auto const* const kept = find_of(socket, now)) store_.forget(kept->pid);
    }

    //=== packets ===//

    [[nodiscard]] socketio::recovery_offset next_offset() { return store_.next_offset(); }

    // Keeps a packet that is on its way, for those who miss it.
    void keep(socketio::recovery_offset const& offset, socketio::recovery_audience const& whom, messages const& packet,
              time_point now) {
        std::size_t size = sizeof(messages);
        for (auto const& message : packet) size += sizeof message + message.wire().size();
        store_.keep(offset, whom, packet, size, now);
    }

    // Calls f(shared_message const&) for each message that a client has missed since its offset.
    template <class F>
    void for_each_missed(session const& kept, std::string_view offset, F f) const {
        store_.for_each_missed(kept, offset, [&f](messages const& packet) {
            for (auto const& message : packet) f(message);
        });
    }

    // How many bytes it has missed.
    [[nodiscard]] std::size_t size_of_missed(session const& kept, std::string_view offset) const {
        std::size_t size = 0;
        for_each_missed(kept, offset, [&size](auto const& message) { size += message.wire().size(); });
        return size;
    }

    // See recovery_store.
    [[nodiscard]] auto misleading(std::string_view text) const { return store_.misleading(text); }

    //=== namespaces ===//

    // Whether a session or a packet of the namespace is kept.
    [[nodiscard]] bool refers_to(std::uint32_t nsp) const noexcept { return store_.refers_to(nsp); }
    // Frees the number of a namespace for another; false while a kept session refers to it.
    [[nodiscard]] bool release(std::uint32_t nsp) noexcept {
        if (store_.refers_to(nsp)) return false;
        store_.release(nsp);
        return true;
    }
    // A namespace to which nothing refers any more, if there is another.
    [[nodiscard]] std::optional<std::uint32_t> take_unreferenced() noexcept { return store_.take_unreferenced(); }

    //=== time ===//

    void handle_timeout(time_point now) { store_.handle_timeout(now); }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return store_.poll_timeout(); }

private:
    [[nodiscard]] static std::uint64_t owner(socketio::socket_handle socket) noexcept {
        return std::uint64_t{socket.generation} << 32u | socket.index;
    }

    socketio::recovery_store<messages> store_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
