// The rules of inputs and views: what all sessions and stacks, of either role and layer, promise about what you give to
// them and what they give to you.
#pragma once

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Any number of inputs may be given to a session, a server or a client before `poll_event` is asked what they mean: an
/// I/O layer may hand in all that it has read. Then drain `poll_event`, then `poll_transmit`.
///
///   - Each input counts in the order in which it was given, and nothing is lost: messages are delivered before the
///     end of the channel that brought them, and a pong before the time that has passed since.
///   - The bytes of an input (a body, a frame, a chunk, a target) must stay valid until `poll_event` has returned
///     nothing.
///   - Views in an event are valid until the next `poll_event`; views in a transmit until the next non-const call other
///     than `pause` and `resume`, or until the buffer that you gave to `poll_transmit` is used again.
///   - An I/O layer may give an input while it does what a transmit says: that a request has failed at once, say. That
///     ends the views of the transmit. The loop goes back to `poll_event` afterwards, as always.
///   - One session keeps at most so many inputs waiting; they are a few words each. If it gets more it delivers these
///     and then closes: close_reason::queue_overflow, disconnect_reason::queue_overflow.
inline constexpr std::size_t max_unread_inputs = 65'536;

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
