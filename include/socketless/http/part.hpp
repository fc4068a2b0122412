// The parts in which the readers give a message.
#pragma once

#include <cstdint>
#include <span>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// What a reader has found.
enum class part_type : std::uint8_t {
    /// The head: the reader's `head` shows it.
    head,
    /// A piece of the body: `data`.
    body,
    /// The end of the message.
    end,
};

/// A part of a message: one head, any number of pieces of its body, one end.
struct part {
    /// What it is.
    part_type type = part_type::head;
    /// body: the bytes, borrowed from the input; they may be changed in place.
    std::span<char> data = {};
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
