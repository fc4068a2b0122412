// json::writer: C++ values as JSON text, byte for byte as JSON.stringify writes them.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/depth.hpp>
#include <socketless/json/detail/number.hpp>
#include <socketless/json/detail/quote.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/detail/write_value.hpp>
#include <socketless/json/sink.hpp>
#include <socketless/json/text.hpp>
#include <socketless/kernels/bulk.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

/// Writes one JSON value, piece by piece. Made by the library (`write`, and the encoders of packets) and
/// handed to the customization point `write_json`, so that a user's own type can say what it looks like:
///
///     void write_json(socketless::json::writer& out, point const& p) {
///         out.begin_object().member("x", p.x).member("y", p.y).end_object();
///     }
///
/// found by argument-dependent lookup. The writer puts the commas and colons. Preconditions: containers are
/// closed in the order they were opened, and in an object each value has its key.
///
/// Text must be UTF-8: other text makes the whole write fail with errc::invalid_utf8. Nothing throws but the container
/// that is written to, where it grows.
class writer {
public:
    /// `attachments` receives the binary values; null allows no binary values. With more than `max_depth` arrays and
    /// objects open at once, those within JSON that is already made included, the write fails (errc::depth_exceeded).
    /// Precondition: `out` and `attachments` outlive the writer.
    constexpr explicit writer(core_detail::output& out, attachment_list* attachments = nullptr,
                              std::uint32_t max_depth = 0xffffffff) noexcept
        : out_(&out), attachments_(attachments), depth_left_(max_depth) {}

    /// Writes another format than text: what is written goes to `to`. Precondition: `to` outlives the writer.
    constexpr explicit writer(sink& to, std::uint32_t max_depth = 0xffffffff) noexcept
        : out_(&to), attachments_(nullptr), depth_left_(max_depth) {}

    /// A literal: null, true or false.
    constexpr writer& null() {
        if (fits(4)) [[likely]]
            return end(std::copy_n("null", 4, begin()), true);
        return any_null();
    }
    constexpr writer& boolean(bool b) {
        if (fits(5)) [[likely]]
            return end(b ? std::copy_n("true", 4, begin()) : std::copy_n("false", 5, begin()), true);
        return any_boolean(b);
    }
    /// Not for pointers, which would become bools.
    template <class T>
    requires std::is_pointer_v<T> writer& boolean(T) = delete;

    /// An integer, with all its digits even beyond 2^53.
    template <std::integral T>
    requires(sizeof(T) <= sizeof(std::uint64_t)) constexpr writer& number(T n) {
        if (!core_detail::prefers_small_code && fits(core_detail::longest_integer)) [[likely]]
            return end(core_detail::write_decimal(n, begin()), true);
        using widest = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
        return any_integer(static_cast<widest>(n));
    }

    /// A double as JavaScript prints it; null for NaN and the infinities; 0 for -0.
    SOCKETLESS_CONSTEXPR writer& number(double n) {
        if (detail::is_finite(n) && fits(detail::longest_number)) [[likely]]
            return end(detail::format_double(n, begin()), true);
        return any_double(n);
    }

    /// A string: quoted, with the escapes of JSON.stringify.
    constexpr writer& string(detail::string_argument s) { return any_string(s.view); }

    /// JSON that is already made. An empty text, such as the auth of a client that sent none, is null.
    constexpr writer& raw(text made) {
        if (detail::is_deeper(made.raw(), depth_left_)) [[unlikely]]
            fail(errc::depth_exceeded);
        return raw_known(made);
    }
    /// The same for JSON that is known not to be too deep.
    constexpr writer& raw_known(text made) {
        may_hold_placeholders_ = true;
        return made.empty() ? null() : token(made.raw());
    }

    /// JSON that is already made, but without its binary values: write its parts in order between `begin_raw` and
    /// `end_raw`, and call `binary` where a binary value goes. Together they are one value. Precondition: no part ends
    /// within a string, a number or a literal.
    constexpr writer& begin_raw() {
        if (comma_due_) out_->put(',');
        comma_due_ = false;
        may_hold_placeholders_ = true;
        return *this;
    }
    constexpr writer& raw_part(std::string_view part) {
        if (depth_left_ <= most_counted && !detail::follow_depth(part, depth_left_)) fail(errc::depth_exceeded);
        if (out_->is_elsewhere()) return send(part, role::value);
        out_->put(part);
        comma_due_ = false;
        return *this;
    }
    constexpr writer& end_raw() noexcept {
        comma_due_ = !out_->is_elsewhere();
        return *this;
    }

    /// A binary value: writes a placeholder and adds an attachment. If attachments are not allowed, the write fails
    /// with errc::unexpected_binary. The bytes are borrowed until the packet is sent.
    constexpr writer& binary(byte_view bytes) {
        if (attachments_ == nullptr) return binary_without_attachments(bytes);
        if (depth_left_ == 0) [[unlikely]]
            fail(errc::depth_exceeded);
        constexpr std::string_view opening = detail::placeholder_opening;
        if (fits(opening.size() + core_detail::longest_integer + 1)) [[likely]] {
            char* p = std::copy_n(opening.data(), opening.size(), begin());
            p = core_detail::write_decimal(attachments_->size(), p);
            *p++ = '}';
            end(p, true);
        } else {
            literal(opening);
            put_decimal(*out_, attachments_->size());
            out_->put('}');
        }
        attachments_->push_back(bytes);
        return *this;
    }

    /// Begins or ends an array or an object. Precondition: what ends is what was begun last.
    SOCKETLESS_ALWAYS_INLINE constexpr writer& begin_array() { return open('['); }
    SOCKETLESS_ALWAYS_INLINE constexpr writer& end_array() { return close(']'); }
    SOCKETLESS_ALWAYS_INLINE constexpr writer& begin_object() { return open('{'); }
    SOCKETLESS_ALWAYS_INLINE constexpr writer& end_object() { return close('}'); }

    /// The key of the next value. Precondition: within an object.
    SOCKETLESS_ALWAYS_INLINE constexpr writer& key(detail::string_argument name) {
        if (detail::is_plain_literal(name.view) && fits(name.view.size() + 3)) [[likely]]
            return end(copy_key(name.view, begin()), false);
        return any_key(name.view);
    }

    /// A key that is already a JSON string.
    constexpr writer& raw_key(text name) {
        SOCKETLESS_ASSERT(name.is(kind::string));
        if (out_->is_elsewhere()) return send(name.raw(), role::key);
        may_hold_placeholders_ = true;
        token(name.raw());
        out_->put(':');
        comma_due_ = false;
        return *this;
    }

    /// Any C++ value; see `write`.
    template <class T>
    constexpr writer& value(T const& v) {
        detail::write_value(*this, detail::passed_on(v));
        return *this;
    }

    /// A key and its value.
    template <class T>
    SOCKETLESS_ALWAYS_INLINE constexpr writer& member(detail::string_argument name, T const& v) {
        if constexpr (detail::written_as_integer<T>) { // with one look at the room for both
            std::size_t const most = name.view.size() + 3 + core_detail::longest_integer;
            if (detail::is_plain_literal(name.view) && fits(most)) [[likely]] {
                char* const p = copy_key(name.view, begin());
                if constexpr (std::same_as<T, bool>)
                    return end(v ? std::copy_n("true", 4, p) : std::copy_n("false", 5, p), true);
                else
                    return end(core_detail::write_decimal(v, p), true);
            }
            return any_key(name.view).value(v);
        } else if constexpr (detail::written_as_string<T>) {
            std::string_view const value = detail::string_of(v);
            if (detail::is_plain_literal(name.view) && value.size() <= longest_short_string &&
                fits(name.view.size() + 3 + value.size() + 2)) [[likely]]
                return string_behind_key(copy_key(name.view, begin()), value);
            return any_key(name.view).any_string(value);
        } else {
            return key(name).value(v);
        }
    }

    /// Makes the write fail. The first failure is the one reported.
    constexpr writer& fail(errc code) noexcept {
        if (failure_ == errc{}) failure_ = code;
        return *this;
    }

    /// Whether JSON that is already made was written, or a key as placeholders have it: besides the placeholders that
    /// `binary` wrote, there may be others.
    [[nodiscard]] constexpr bool may_hold_placeholders() const noexcept { return may_hold_placeholders_; }

    /// Whether anything failed so far.
    [[nodiscard]] constexpr result<void> status() const noexcept {
        if (failure_ != errc{}) return error{failure_};
        return {};
    }

private:
    using role = detail::string_role; // a key has a colon behind it

    static constexpr std::uint32_t most_counted = 0x7fffffff; // a higher limit is no limit
    static constexpr std::size_t longest_short_string = 64;

    // Whether there is room as it is for a token of `n` bytes, at least one.
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE constexpr bool fits(std::size_t n) const noexcept {
        return out_->has_room(n + (comma_due_ ? 1 : 0));
    }
    SOCKETLESS_ALWAYS_INLINE static constexpr char* copy_key(std::string_view name, char* p) noexcept {
        *p++ = '"';
        p = std::copy_n(name.data(), name.size(), p);
        *p++ = '"';
        *p++ = ':';
        return p;
    }
    // Where the token begins: behind the comma that is due.
    SOCKETLESS_ALWAYS_INLINE constexpr char* begin() noexcept {
        char* const p = out_->position();
        *p = ',';
        return p + (comma_due_ ? 1 : 0);
    }
    // The token ends at `p`.
    SOCKETLESS_ALWAYS_INLINE constexpr writer& end(char* p, bool comma_due) noexcept {
        out_->advance(p);
        comma_due_ = comma_due;
        return *this;
    }

    // A sink has no room for text: what it is sent leaves the way of each function at the point where there is none.

    // A token for which there is no room yet.
    SOCKETLESS_NEVER_INLINE constexpr writer& make_room_and_put(std::string_view t, bool comma_due) {
        if (out_->is_elsewhere()) return send(t, role::value);
        if (comma_due_) out_->put(',');
        out_->put(t);
        comma_due_ = comma_due;
        return *this;
    }

    SOCKETLESS_ALWAYS_INLINE constexpr writer& literal(std::string_view t) {
        if (fits(t.size())) [[likely]]
            return end(std::copy_n(t.data(), t.size(), begin()), true);
        return make_room_and_put(t, true);
    }
    constexpr writer& token(std::string_view t) {
        if (fits(t.size())) [[likely]]
            return end(std::copy_n(t.data(), t.size(), begin()), true);
        return make_room_and_put(t, true);
    }
    SOCKETLESS_ALWAYS_INLINE constexpr writer& open(char bracket) {
        if (depth_left_-- == 0) [[unlikely]]
            fail(errc::depth_exceeded);
        if (fits(1)) [[likely]] {
            char* const p = begin();
            *p = bracket;
            return end(p + 1, false);
        }
        return make_room_and_open(bracket);
    }
    SOCKETLESS_ALWAYS_INLINE constexpr writer& close(char bracket) {
        ++depth_left_;
        if (!out_->has_room(1)) [[unlikely]]
            return make_room_and_close(bracket);
        char* const p = out_->position();
        *p = bracket;
        return end(p + 1, true);
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& make_room_and_open(char bracket) {
        if (!out_->is_elsewhere()) return make_room_and_put({&bracket, 1}, false);
        bracket == '[' ? to_sink().begin_array() : to_sink().begin_object();
        return *this;
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& make_room_and_close(char bracket) {
        if (out_->is_elsewhere()) {
            bracket == ']' ? to_sink().end_array() : to_sink().end_object();
            return *this;
        }
        comma_due_ = false;
        return make_room_and_put({&bracket, 1}, true);
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& any_null() {
        if (out_->is_elsewhere()) return to_sink().null(), *this;
        return make_room_and_put("null", true);
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& any_boolean(bool b) {
        if (out_->is_elsewhere()) return to_sink().boolean(b), *this;
        return make_room_and_put(b ? "true" : "false", true);
    }
    template <class T>
    SOCKETLESS_NEVER_INLINE constexpr writer& any_integer(T n) {
        if (out_->is_elsewhere()) return to_sink().number(n), *this;
        return token(core_detail::decimal_text(n).view());
    }
    SOCKETLESS_NEVER_INLINE SOCKETLESS_CONSTEXPR writer& any_double(double n) {
        if (out_->is_elsewhere()) return to_sink().number(n), *this;
        if (!detail::is_finite(n)) return null();
        char digits[detail::longest_number]{};
        return token(detail::between(digits, detail::format_double(n, digits)));
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& binary_without_attachments(byte_view bytes) {
        if (!out_->is_elsewhere()) return fail(errc::unexpected_binary);
        to_sink().binary(bytes);
        return *this;
    }

    [[nodiscard]] constexpr sink& to_sink() const noexcept { return static_cast<sink&>(*out_); }
    // Sends JSON that is already made to the sink: a value, a part of one, or a key.
    writer& send(std::string_view json, role r) {
        to_sink().send(json, r);
        return *this;
    }

    SOCKETLESS_ALWAYS_INLINE constexpr void quote(std::string_view s, role r) {
        if (!core_detail::prefers_small_code && !std::is_constant_evaluated() && s.size() <= longest_short_string &&
            fits(s.size() + (r == role::key ? 3 : 2))) [[likely]] {
            quote_short(s, r, begin());
        } else {
            quote_any(s, r);
        }
    }

    // A short string at `p`, behind the comma or the key. Precondition: room for its bytes, two quotes and a colon.
    SOCKETLESS_ALWAYS_INLINE void quote_short(std::string_view s, role r, char* p) {
        char* const inner = p + 1;
        *p = '"';
        auto const holds = detail::copy_short(s.data(), s.size(), inner);
        if (!(holds.specials | holds.beyond_ascii).any()) [[likely]]
            return end_string(inner + s.size(), r);
        end(p, false);
        if (fits(s.size() * detail::longest_escape + 3))
            return end_unusual(s, r, inner, holds.specials.any(), holds.beyond_ascii.any());
        quote_any(s, r);
    }
    SOCKETLESS_NEVER_INLINE writer& string_behind_key(char* p, std::string_view s) {
        quote_short(s, role::value, p);
        return *this;
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& any_string(std::string_view s) {
        quote(s, role::value);
        return *this;
    }
    SOCKETLESS_NEVER_INLINE constexpr writer& any_key(std::string_view name) {
        if (name == "_placeholder") may_hold_placeholders_ = true;
        quote(name, role::key);
        return *this;
    }

    // Puts what needs no escapes at the beginning of `s`, and moves `s` behind it.
    void put_plain(std::string_view& s) {
        char const* const end = s.data() + s.size();
        char const* const special = kernels::find_special(s.data(), end);
        out_->put(detail::between(s.data(), special));
        s = detail::between(special, end);
    }

    constexpr void check_utf8(std::string_view s) noexcept {
        if (!utf8::validate(s)) fail_text(s);
    }
    SOCKETLESS_NEVER_INLINE constexpr void fail_text(std::string_view s) noexcept {
        fail(s.data() == detail::null_text ? errc::null_string : errc::invalid_utf8);
    }

    SOCKETLESS_ALWAYS_INLINE constexpr void end_string(char* p, role r) noexcept {
        *p++ = '"';
        bool const is_key = r == role::key;
        if (is_key) *p++ = ':';
        end(p, !is_key);
    }

    // The end of a short string that stands at `p` as it is, but has escapes, or is not ASCII. There is room for it.
    SOCKETLESS_NEVER_INLINE constexpr void end_unusual(std::string_view s, role r, char* p, bool has_escapes,
                                                       bool is_beyond_ascii) noexcept {
        if (is_beyond_ascii && !utf8::detail::is_valid_short(s)) fail_text(s);
        end_string(has_escapes ? detail::copy_escaped(s.data(), s.data() + s.size(), p) : p + s.size(), r);
    }

    // The same for a string that is long, or for which there may be no room.
    SOCKETLESS_NEVER_INLINE constexpr void quote_any(std::string_view s, role r) {
        if (!out_->is_elsewhere()) return quote_text(s, r);
        to_sink().text_ == text_check::due ? send_text(s, r) : send_checked(s, r);
    }
    SOCKETLESS_ALWAYS_INLINE constexpr void send_text(std::string_view s, role r) {
        r == role::key ? to_sink().key(s) : to_sink().string(s);
    }
    SOCKETLESS_NEVER_INLINE constexpr void send_checked(std::string_view s, role r) {
        bool const is_text = utf8::validate(s).has_value();
        if (!is_text) fail_text(s);
        send_text(is_text ? s : std::string_view(), r);
    }
    SOCKETLESS_NEVER_INLINE constexpr void quote_text(std::string_view s, role r) {
        literal("\"");
        check_utf8(s);
        while (!s.empty()) {
            if (!core_detail::prefers_small_code && !std::is_constant_evaluated() && s.size() > longest_short_string)
                put_plain(s);
            std::string_view const piece = s.substr(0, longest_short_string);
            s.remove_prefix(piece.size());
            char escaped[longest_short_string * detail::longest_escape];
            out_->put(
                detail::between(escaped, detail::copy_escaped(piece.data(), piece.data() + piece.size(), escaped)));
        }
        out_->put('"');
        if (r == role::key) out_->put(':');
        comma_due_ = r != role::key;
    }

    core_detail::output* out_;
    attachment_list* attachments_;
    std::uint32_t depth_left_; // how many more arrays and objects may open
    bool comma_due_ = false;
    bool may_hold_placeholders_ = false;
    errc failure_{};
};

namespace detail {

template <output_target Target, class T>
constexpr result<std::size_t> write_passed_on(Target&& target, T const& value) {
    return core_detail::write_to(target, [&](core_detail::output& out) {
        writer w(out);
        w.value(value);
        return w.status();
    });
}

} // namespace detail

/// Writes `value` as JSON: appends to a character container, or fills a std::span<char> from its start. Returns how
/// many bytes that were. The values that can be written:
///
///   nullptr, std::nullopt                   null
///   bool                                    true, false
///   integers, but for character types       all digits; a signed or unsigned char too
///   float, double                           as JavaScript prints them
///   what converts to std::string_view,      a string; an array of characters up to its first zero or its end
///     or to std::u8string_view
///   json::text                              itself; null if it is empty
///   std::optional                           its value or null
///   std::variant                            its alternative
///   std::span<std::byte const>, and any     a binary attachment, if the packet may have some
///     contiguous range of std::byte or
///     unsigned char (std::uint8_t)
///   ranges with a mapped_type (std::map)    an object; the keys are strings
///   other ranges                            an array
///   std::tuple, std::pair                   an array
///   json::object(...)                       an object, made on the spot
///   a type with write_json(writer&, T)      what that writes
///
/// These do not compile, and the compiler says why: pointers to anything but char and char8_t, which would pass for
/// bools; strings that are not UTF-8 by their type (std::wstring); single characters and ranges of char; bytes that are
/// not contiguous; enumerations; integers of more than 64 bits; std::filesystem::path; ranges that reading changes (a
/// std::ranges::filter_view).
///
/// Errors: errc::invalid_utf8, errc::null_string for a null pointer to char, errc::unexpected_binary,
/// errc::buffer_too_small (the offset is the size needed). After an error the container has its old contents. One pass;
/// up to 512 bytes (on small machines 128) are written beside the container, which grows once then, if it has to.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> write(Target&& target, T const& value) {
    return detail::write_passed_on(target, detail::passed_on(value));
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
