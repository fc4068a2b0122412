// cluster::node: a server that acts as one with others. What applications call, whatever the bus between them.
#pragma once

#include <socketless/cluster/audience.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

class message_node;
class redis_node;

/// A server among others that act as one. It is made around a `socketless::server`, as a `message_node` (over any bus
/// that you have) or a `redis_node`, which the bus drives; applications call this:
///
///     node.to("lobby").emit("news", 1);                      // rather than server.to("lobby").emit("news", 1)
///
///     while (auto e = server.poll_event()) {
///         if (node.handle(*e)) continue;                     // acknowledgements that the node asked for
///         ...
///     }
///     while (auto e = node.poll_event()) ...                 // what other nodes have answered, emitted, ...
///
/// The node does no I/O. After each input, of the server too, poll it until dry: `poll_event` is for the application,
/// `poll_transmit` for the bus. All that waits has a limit and a deadline. Calls without a `now` use the time of the
/// last call that had one, of the node or of its server.
class node {
public:
    /// Neither copied nor moved: audiences refer to it.
    node(node const&) = delete;
    node& operator=(node const&) = delete;
    virtual ~node();

    /// Its name among the nodes: random, of 16 characters.
    [[nodiscard]] std::string_view id() const noexcept;

    //=== what the application wants ===//

    /// The sockets of a namespace on all nodes.
    [[nodiscard]] audience in(std::string_view nsp);
    /// The sockets of a room of "/" on all nodes.
    [[nodiscard]] audience to(std::string_view room);

    /// Emits an event to the applications of all other nodes: event_type::server_side_event there. Errors: those of
    /// `audience::emit`.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> server_side_emit(std::string_view nsp, Name const& name, Args const&... args) {
        return emit_to_servers(nsp, socketio::detail::name_of(name),
                               json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// The same, and asks each for a reply: event_type::reply for each, then event_type::complete, with the id that is
    /// returned. Errors: as above; errc::too_many_requests.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> server_side_emit_with_ack(std::string_view nsp, std::optional<milliseconds> timeout,
                                                    Name const& name, Args const&... args) {
        return ask_servers(nsp, timeout, socketio::detail::name_of(name),
                           json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Asks how many other nodes serve a namespace: event_type::complete with the id that is returned, whose `expected`
    /// is their number if it `is_whole`. No node is asked, as the bus knows. Errors: errc::too_many_requests.
    result<std::uint64_t> count_nodes(std::string_view nsp = "/", std::optional<milliseconds> timeout = std::nullopt);
    /// Replies to another node, once: `request` is empty afterwards. Errors: errc::already_acknowledged; those of
    /// `audience::emit`, after which you may try again.
    template <class T>
    result<void> reply(reply_request& request, T const& value) {
        return reply_with(request, json::detail::values_of(json::detail::passed_on(value)));
    }

    //=== what happened ===//

    /// Shows the node an event of the server. Returns whether it was for the node only: then forget it. Show it every
    /// event, before the next is polled.
    [[nodiscard]] bool handle(socketio::event const& e);

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now);

    //=== what it means, when to come back ===//

    /// The next event.
    [[nodiscard]] std::optional<event> poll_event();
    /// When to call `handle_timeout`, if ever; a call at that time may find nothing to do.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept;

    //=== what there is ===//

    /// Messages so far.
    [[nodiscard]] statistics const& counts() const noexcept;
    /// Requests of this node that wait, and those of others for which it waits.
    [[nodiscard]] std::size_t request_count() const noexcept;

private:
    friend class message_node;
    friend class redis_node;

    explicit node(std::unique_ptr<detail::node_core> core) noexcept;
    [[nodiscard]] detail::node_core& core() const noexcept { return *core_; }

    // The templates above, without the types of their values.
    result<void> emit_to_servers(std::string_view nsp, std::string_view name, json::detail::values const& args);
    result<std::uint64_t> ask_servers(std::string_view nsp, std::optional<milliseconds> timeout, std::string_view name,
                                      json::detail::values const& args);
    result<void> reply_with(reply_request& request, json::detail::values const& value);

    std::unique_ptr<detail::node_core> core_;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/cluster.hpp>
#endif
