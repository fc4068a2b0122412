// json::writer: C++ values as JSON text, byte for byte as JSON.stringify writes them.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/depth.hpp>
#include <socketless/json/detail/number.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/json/detail/write_value.hpp>
#include <socketless/json/text.hpp>
#include <socketless/text/utf8.hpp>

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
/// Text must be UTF-8: other text makes the whole write fail with errc::invalid_utf8. Nothing throws.
class writer {
public:
    /// `attachments` receives the binary values; null allows no binary values. With more than `max_depth` arrays and
    /// objects open at once, those within JSON that is already made included, the write fails (errc::depth_exceeded).
    /// Precondition: `out` and `attachments` outlive the writer.
    constexpr explicit writer(core_detail::output& out, attachment_list* attachments = nullptr,
                              std::uint32_t max_depth = 0xffffffff) noexcept
        : out_(&out), attachments_(attachments), depth_left_(max_depth) {}

    /// A literal: null, true or false.
    constexpr writer& null() noexcept { return token("null"); }
    constexpr writer& boolean(bool b) noexcept { return token(b ? "true" : "false"); }
    /// Not for pointers, which would become bools.
    template <class T>
    requires std::is_pointer_v<T> writer& boolean(T) = delete;

    /// An integer, with all its digits even beyond 2^53.
    template <std::integral T>
    requires(sizeof(T) <= sizeof(std::uint64_t)) constexpr writer& number(T n) noexcept {
        return token(core_detail::decimal_text(n).view());
    }

    /// A double as JavaScript prints it; null for NaN and the infinities; 0 for -0.
    writer& number(double n) noexcept {
        if (!detail::is_finite(n)) return null();
        char digits[detail::longest_number];
        return token(detail::between(digits, detail::format_double(n, digits)));
    }

    /// A string: quoted, with the escapes of JSON.stringify.
    constexpr writer& string(detail::string_argument s) noexcept {
        separate();
        quote(s.view);
        return *this;
    }

    /// JSON that is already made. An empty text, such as the auth of a client that sent none, is null.
    constexpr writer& raw(text made) noexcept {
        if (detail::is_deeper(made.raw(), depth_left_)) [[unlikely]]
            fail(errc::depth_exceeded);
        return raw_known(made);
    }
    /// The same for JSON that is known not to be too deep.
    constexpr writer& raw_known(text made) noexcept { return token(made.empty() ? "null" : made.raw()); }

    /// JSON that is already made, but without its binary values: write its parts in order between `begin_raw` and
    /// `end_raw`, and call `binary` where a binary value goes. Together they are one value. Precondition: no part ends
    /// within a string.
    constexpr writer& begin_raw() noexcept {
        separate();
        comma_due_ = false;
        return *this;
    }
    constexpr writer& raw_part(std::string_view part) noexcept {
        if (depth_left_ <= most_counted && !detail::follow_depth(part, depth_left_)) fail(errc::depth_exceeded);
        out_->put(part);
        comma_due_ = false;
        return *this;
    }
    constexpr writer& end_raw() noexcept {
        comma_due_ = true;
        return *this;
    }

    /// A binary value: writes a placeholder and adds an attachment. If attachments are not allowed, the write fails
    /// with errc::unexpected_binary. The bytes are borrowed until the packet is sent.
    constexpr writer& binary(byte_view bytes) {
        if (attachments_ == nullptr) return fail(errc::unexpected_binary);
        begin_object().member("_placeholder", true).member("num", attachments_->size()).end_object();
        attachments_->push_back(bytes);
        return *this;
    }

    /// Begins or ends an array or an object. Precondition: what ends is what was begun last.
    constexpr writer& begin_array() noexcept { return open('['); }
    constexpr writer& end_array() noexcept { return close(']'); }
    constexpr writer& begin_object() noexcept { return open('{'); }
    constexpr writer& end_object() noexcept { return close('}'); }

    /// The key of the next value. Precondition: within an object.
    constexpr writer& key(detail::string_argument name) noexcept {
        separate();
        quote(name.view);
        out_->put(':');
        comma_due_ = false;
        return *this;
    }

    /// A key that is already a JSON string.
    constexpr writer& raw_key(text name) noexcept {
        SOCKETLESS_ASSERT(name.is(kind::string));
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
    constexpr writer& member(detail::string_argument name, T const& v) {
        return key(name).value(v);
    }

    /// Makes the write fail. The first failure is the one reported.
    constexpr writer& fail(errc code) noexcept {
        if (failure_ == errc{}) failure_ = code;
        return *this;
    }

    /// Whether anything failed so far.
    [[nodiscard]] constexpr result<void> status() const noexcept {
        if (failure_ != errc{}) return error{failure_};
        return {};
    }

private:
    static constexpr std::uint32_t most_counted = 0x7fffffff; // a higher limit is no limit

    constexpr void separate() noexcept {
        if (comma_due_) out_->put(',');
        comma_due_ = true;
    }
    constexpr writer& token(std::string_view t) noexcept {
        separate();
        out_->put(t);
        return *this;
    }
    constexpr writer& open(char bracket) noexcept {
        if (depth_left_-- == 0) [[unlikely]]
            fail(errc::depth_exceeded);
        separate();
        out_->put(bracket);
        comma_due_ = false;
        return *this;
    }
    constexpr writer& close(char bracket) noexcept {
        ++depth_left_;
        out_->put(bracket);
        comma_due_ = true;
        return *this;
    }

    constexpr void quote(std::string_view s) noexcept {
        out_->put('"');
        char const* p = s.data();
        char const* const end = p + s.size();
        char const* written = p;
        while ((p = detail::skip_plain(p, end)) != end) {
            if (static_cast<unsigned char>(*p) >= 0x80) {
                std::size_t const length = utf8::sequence_length(detail::between(p, end));
                if (length == 0) fail(p == detail::null_text ? errc::null_string : errc::invalid_utf8);
                p += length == 0 ? 1 : length;
                continue;
            }
            out_->put(detail::between(written, p));
            escape(*p++);
            written = p;
        }
        out_->put(detail::between(written, end));
        out_->put('"');
    }

    // ECMAScript's QuoteJSONString: a short escape if there is one, otherwise \u00XX in lower case.
    constexpr void escape(char c) noexcept {
        out_->put('\\');
        switch (c) {
        case '"':
        case '\\': return out_->put(c);
        case '\b': return out_->put('b');
        case '\f': return out_->put('f');
        case '\n': return out_->put('n');
        case '\r': return out_->put('r');
        case '\t': return out_->put('t');
        default:
            out_->put("u00");
            out_->put(c < 0x10 ? '0' : '1');
            out_->put("0123456789abcdef"[c & 0xf]);
        }
    }

    core_detail::output* out_;
    attachment_list* attachments_;
    std::uint32_t depth_left_; // how many more arrays and objects may open
    bool comma_due_ = false;
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

/// Writes `value` as JSON: appends to a character container, which grows at most once, or fills a
/// std::span<char> from its start. Returns how many bytes that were. The values that can be written:
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
/// not contiguous; enumerations; integers of more than 64 bits; std::filesystem::path.
///
/// Errors: errc::invalid_utf8, errc::null_string for a null pointer to char, errc::unexpected_binary,
/// errc::buffer_too_small (the offset is the size needed). After an error the container is as it was. One pass if
/// the container has room to spare, otherwise two.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> write(Target&& target, T const& value) {
    return detail::write_passed_on(target, detail::passed_on(value));
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
