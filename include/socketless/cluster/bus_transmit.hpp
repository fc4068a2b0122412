// What a message_node gives to its bus.
#pragma once

#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

/// What to do, for the bus. Its views are valid until the next call that is not const.
struct bus_transmit {
    /// The node that it is for, by `node::id`; empty if it is for all. A bus may bring it to all anyway.
    std::string_view to;
    /// The message.
    std::string_view bytes;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
