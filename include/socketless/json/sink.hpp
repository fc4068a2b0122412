// json::sink: where a json::writer writes if not to text: another format of the same values.
#pragma once

#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/json/detail/tokens.hpp>

#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

/// Another format for what can be written as JSON, such as MessagePack or CBOR. A `writer` that is given a sink calls
/// these functions in the order of the values, instead of writing text. So one `write_json` serves all formats.
///
///     class my_format final : public socketless::json::sink { ... };
///     my_format format(bytes);
///     socketless::json::writer(format).value(position);
///
/// What is written is well-formed as far as the caller of the writer keeps to its preconditions. Views live until the
/// function returns. A function that fails says so to whoever made the sink; the writer goes on.
class sink : private core_detail::output {
public:
    sink(sink const&) = delete;
    sink& operator=(sink const&) = delete;

    /// null, true or false.
    virtual void null() = 0;
    virtual void boolean(bool b) = 0;
    /// An integer. One that is not negative may come as either.
    virtual void number(std::int64_t n) = 0;
    virtual void number(std::uint64_t n) = 0;
    /// Any other number; NaN and the infinities too, which JSON has not.
    virtual void number(double n) = 0;
    /// A string, which is UTF-8. Of what is none, which fails the write, an empty one comes.
    virtual void string(std::string_view s) = 0;
    /// The name of the next value, likewise. Within an object only.
    virtual void key(std::string_view name) = 0;
    /// A binary value.
    virtual void binary(byte_view bytes) = 0;
    /// Begins and ends an array or an object.
    virtual void begin_array() = 0;
    virtual void end_array() = 0;
    virtual void begin_object() = 0;
    virtual void end_object() = 0;

protected:
    /// With text_check::due it gets text that may not be UTF-8, and looks at that itself.
    explicit sink(text_check text = text_check::done) noexcept : output(growth::elsewhere), text_(text) {}
    ~sink() = default;

private:
    friend class writer; // it takes the sink for an output without room

    // JSON that is already made: a value, a part of one, or a key. Virtual, so that a program without sinks has no code
    // for it.
    virtual void send(std::string_view json, detail::string_role role) { detail::send_tokens(*this, json, role); }

    text_check text_;
};

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
