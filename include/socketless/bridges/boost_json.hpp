// Boost.JSON values in packets: written and read like any other type. Include it only if you use that library.
//
//     socketio::encode_event(text, attachments, {}, "update", boost::json::value{{"id", 1}});
//     if (auto const value = argument.get<boost::json::value>()) ...
//     if (auto const args = arguments.get<int, boost::json::object>()) ...
//
// Boost.JSON has no binary values; `json::boost_value_with_attachments` adds them.
#pragma once

#include <socketless/bridges/detail/tree_reader.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/detail/placeholder.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

namespace detail {

// Only these very types: a boost::json::value converts from nearly everything.
template <class T>
concept boost_json = std::same_as<T, boost::json::value> || std::same_as<T, boost::json::object> ||
    std::same_as<T, boost::json::array> || std::same_as<T, boost::json::string>;

// Boost.JSON copies names by memcpy, which takes no null pointer. In text that is not JSON an empty one may be one.
inline boost::json::string_view to_boost(std::string_view s) noexcept {
    return {s.data() != nullptr ? s.data() : "", s.size()};
}

inline bool is_marked_placeholder(boost::json::object const& object) noexcept {
    auto const* const mark = object.if_contains(to_boost(socketio::detail::placeholder_key));
    return mark != nullptr && mark->is_bool() && mark->get_bool();
}

// The binary value for which a placeholder stands, if it is in the list.
inline std::optional<byte_view> boost_attachment(boost::json::object const& placeholder,
                                                 attachment_list const& attachments) noexcept {
    auto const* const num = placeholder.if_contains(to_boost(socketio::detail::num_key));
    if (num == nullptr || !num->is_int64() || num->get_int64() < 0) return std::nullopt;
    auto const index = static_cast<std::size_t>(num->get_int64());
    if (index >= attachments.size()) return std::nullopt;
    return attachments[index];
}

// Writes a value, with placeholders for plain data if there are no attachments.
class boost_writer {
public:
    boost_writer(writer& out, attachment_list const& attachments) noexcept : out_(&out), attachments_(&attachments) {}

    // `depth` is the number of arrays and objects around the value.
    void write(boost::json::value const& value, std::uint32_t depth) {
        switch (value.kind()) {
        case boost::json::kind::null: out_->null(); break;
        case boost::json::kind::bool_: out_->boolean(value.get_bool()); break;
        case boost::json::kind::int64: out_->number(value.get_int64()); break;
        case boost::json::kind::uint64: out_->number(value.get_uint64()); break;
        case boost::json::kind::double_: out_->number(value.get_double()); break;
        case boost::json::kind::string: write(value.get_string(), depth); break;
        case boost::json::kind::array: write(value.get_array(), depth); break;
        case boost::json::kind::object: write(value.get_object(), depth); break;
        }
    }

    void write(boost::json::string const& string, std::uint32_t) { out_->string({string.data(), string.size()}); }

    void write(boost::json::array const& array, std::uint32_t depth) {
        if (depth == limits::deepest_tree) return refuse(errc::depth_exceeded);
        out_->begin_array();
        for (auto const& element : array) write(element, depth + 1);
        out_->end_array();
    }

    void write(boost::json::object const& object, std::uint32_t depth) {
        if (!attachments_->empty() && is_marked_placeholder(object)) return write_binary(object);
        if (depth == limits::deepest_tree) return refuse(errc::depth_exceeded);
        out_->begin_object();
        for (auto const& member : object) {
            out_->key({member.key().data(), member.key().size()});
            write(member.value(), depth + 1);
        }
        out_->end_object();
    }

private:
    void write_binary(boost::json::object const& placeholder) {
        auto const bytes = boost_attachment(placeholder, *attachments_);
        if (!bytes) return refuse(errc::invalid_placeholder);
        out_->binary(*bytes);
    }

    void refuse(errc code) noexcept { out_->fail(code); }

    writer* out_;
    attachment_list const* attachments_;
};

} // namespace detail

/// A Boost.JSON value with binary values in it. Where one belongs the tree has its placeholder, which names it by its
/// index in `attachments`: the very form that both have in a packet, so that nothing is copied, converted or lost on
/// the way in and out. (A form within the tree, such as base64 under a name of its own, would cost a copy and a
/// conversion, and a peer's plain data could pass for binary.)
///
///     json::boost_value_with_attachments message;
///     message.value = {{"name", "x.png"}, {"file", message.attach(bytes)}};
///     socketio::encode_event(text, attachments, {}, "upload", message);
///
///     if (auto const message = argument.get<json::boost_value_with_attachments>())
///         auto const file = message->binary(message->value.at("file"));
///
/// The bytes are borrowed: from the packet they came in, or until the packet they go in is sent.
struct boost_value_with_attachments {
    /// The value, in which placeholders stand for its binary values.
    boost::json::value value;
    /// The binary values, borrowed, in the order of their numbers.
    attachment_list attachments;

    /// Adds an attachment and returns the placeholder that stands for it.
    [[nodiscard]] boost::json::value attach(byte_view bytes) {
        boost::json::object placeholder;
        placeholder[detail::to_boost(socketio::detail::placeholder_key)] = true;
        placeholder[detail::to_boost(socketio::detail::num_key)] = static_cast<std::int64_t>(attachments.size());
        attachments.push_back(bytes);
        return placeholder;
    }

    /// The binary value that `part`, a part of the tree, stands for, if it is a placeholder.
    [[nodiscard]] std::optional<byte_view> binary(boost::json::value const& part) const noexcept {
        auto const* const object = part.if_object();
        if (object == nullptr || !detail::is_marked_placeholder(*object)) return std::nullopt;
        return detail::boost_attachment(*object, attachments);
    }
};

/// Writes a boost::json::value, object, array or string: members in their order, numbers and strings as the writer
/// does. What looks like a placeholder is plain data.
/// Errors: errc::invalid_utf8 in any string or name; errc::depth_exceeded with more than limits::deepest_tree arrays
/// and objects open at once. Linear; recurses limits::deepest_tree times at most.
template <detail::boost_json T>
void write_json(writer& out, T const& value) {
    detail::boost_writer(out, {}).write(value, 0);
}

/// Writes a value with its binary values as attachments, numbered anew.
/// Errors: those above; errc::unexpected_binary where no attachments may be; errc::invalid_placeholder for a
/// placeholder that does not name an attachment, if there are attachments.
inline void write_json(writer& out, boost_value_with_attachments const& v) {
    detail::boost_writer(out, v.attachments).write(v.value, 0);
}

} // namespace socketless::inline v0::json

namespace socketless::inline v0::socketio {

namespace detail {

// How `tree_reader` builds a Boost.JSON value.
struct boost_tree {
    using value = boost::json::value;

    static void null(value& to) { to = nullptr; }
    static void boolean(value& to, bool b) { to = b; }
    static void string(value& to, std::string_view s) { to = json::detail::to_boost(s); }
    static result<void> number(value& to, json::text n) {
        if (is_written_as_integer(n) && (store<std::int64_t>(to, n) || store<std::uint64_t>(to, n))) return {};
        return store<double>(to, n);
    }
    static result<void> binary(value&, byte_view) noexcept { return error{errc::wrong_kind}; }
    static void array(value& to) { to.emplace_array(); }
    static void object(value& to) { to.emplace_object(); }
    static value& element(value& array) { return array.get_array().emplace_back(nullptr); }
    static value& member(value& object, std::string_view name) {
        return object.get_object()[json::detail::to_boost(name)];
    }

private:
    template <class Number>
    static result<void> store(value& to, json::text n) {
        auto const number = n.get<Number>();
        if (!number) return number.error();
        to = *number;
        return {};
    }
};

// The contents of `from`, if it is of that type.
template <class T>
T* boost_part(boost::json::value& from) noexcept {
    if constexpr (std::same_as<T, boost::json::object>)
        return from.if_object();
    else if constexpr (std::same_as<T, boost::json::array>)
        return from.if_array();
    else if constexpr (std::same_as<T, boost::json::string>)
        return from.if_string();
    else
        return &from;
}

} // namespace detail

/// Reads an argument as a boost::json::value, object, array or string, as boost::json::parse would. A number without
/// fraction and exponent that an std::int64_t or std::uint64_t can hold is an integer, any other the nearest double; of
/// several members with one name the last is kept. Half a surrogate pair ("\ud800"), which JavaScript's strings may
/// hold and the parser refuses, is U+FFFD: the rest of the value stays readable. Allocates from the memory resource of
/// `to`.
/// Errors, the offset counted in `from.json()`: errc::wrong_kind for another type, for a binary value in the argument
/// and for no JSON at all, errc::out_of_range for a number beyond the largest double, errc::depth_exceeded with more
/// than limits::deepest_tree arrays and objects open at once, which `decode` with its default limits never lets
/// through. Nothing but an allocator throws. Linear.
template <json::detail::boost_json T>
[[nodiscard]] result<void> read_json(argument const& from, T& to) {
    boost::json::value tree(to.storage());
    if (auto const done = detail::tree_reader<detail::boost_tree>(from).read(tree); !done) return done;
    T* const part = detail::boost_part<T>(tree);
    if (part == nullptr) return error{errc::wrong_kind};
    to = std::move(*part);
    return {};
}

/// Reads an argument with the binary values in it. Errors: those above, but binary values are allowed.
[[nodiscard]] inline result<void> read_json(argument const& from, json::boost_value_with_attachments& to) {
    to.attachments.assign(from.attachments().begin(), from.attachments().end());
    return read_json(argument(from.json(), {}), to.value);
}

} // namespace socketless::inline v0::socketio

namespace socketless::inline v0::json {

/// Reads JSON, without binary values: placeholders are the objects that they are written as.
template <class T>
requires detail::boost_json<T> || std::same_as<T, boost_value_with_attachments>
[[nodiscard]] result<void> read_json(text from, T& to) {
    return socketio::read_json(socketio::argument(from, {}), to);
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
