// What a node wants of the bus between it and the others.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

class node_core;

// Encodes messages and queues them. Errors are what is wrong with a message, whatever becomes of it:
// errc::invalid_utf8, errc::message_too_large, ... What the bus cannot take is dropped, told by
// node_core::note_dropped, and no error.
class bus {
public:
    bus() = default;
    bus(bus const&) = delete;
    bus& operator=(bus const&) = delete;
    virtual ~bus() = default;

    // The core is complete: the first messages may be sent.
    virtual void begin(node_core& core) = 0;
    // Whether it is certain that no other node would get a message.
    [[nodiscard]] virtual bool is_alone() const noexcept = 0;

    // A message for all other nodes. The core has filled in `uid`. Returns whether it comes back in its turn among
    // those of others, by node_core::came_back: then the core acts on it, and not before.
    virtual result<bool> publish(message const& m) = 0;
    // A request of the core's, with its `request_id`: the bus publishes it, and says who is to answer by
    // node_core::note_expected, now or later, if it can. `is_urgent`: it is published at once; otherwise it may wait
    // until that is known, and need not be published if nobody is there.
    virtual result<void> ask(message const& m, bool is_urgent) = 0;
    // How many other nodes there are in the namespace of a request: says so by node_core::note_expected, now or later.
    virtual void count_others(message const& m) = 0;
    // The request has ended: nothing that waits for it need be kept.
    virtual void forget(std::string_view request_id) noexcept = 0;
    // An answer to the node that has asked.
    virtual result<void> respond(std::string_view node, message const& m) = 0;

    // Whether the bus wants to know in which namespaces there are sockets: one has been connected in this namespace, or
    // the last one has left it.
    [[nodiscard]] virtual bool follows_namespaces() const noexcept = 0;
    virtual void note_namespace(std::string_view nsp) = 0;
    virtual void note_empty_namespace(std::string_view nsp) = 0;

    // The application handles that a socket is connected, or that it has ended.
    virtual void note_sockets_changed() {}

    virtual void handle_timeout(time_point now) = 0;
    [[nodiscard]] virtual std::optional<time_point> poll_timeout() const noexcept = 0;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
