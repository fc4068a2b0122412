// msgpack::writer: C++ values as MessagePack, as short as they can be.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/quote.hpp>
#include <socketless/json/detail/tokens.hpp>
#include <socketless/json/detail/writable.hpp>
#include <socketless/json/detail/write_value.hpp>
#include <socketless/json/sink.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/number.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

/// Writes one MessagePack value, piece by piece, as a json::writer writes JSON. A write_json that is a template serves
/// both; one that takes a json::writer is served through `sink`, which takes two to three times as long:
///
///     template <class Writer>
///     void write_json(Writer& out, point const& p) {
///         out.begin_object().member("x", p.x).member("y", p.y).end_object();
///     }
///
/// `write` writes a value. Use a writer of your own for what JSON has not:
///
///     std::string bytes;
///     socketless::result<std::size_t> size = socketless::msgpack::write_with(bytes, [&](msgpack::writer& out) {
///         out.begin_object().key("at").extension(-1, timestamp).end_object();
///     });
///
/// Integers and floating-point numbers whose values are integers of 64 bits take the shortest form, as notepack.io
/// 3.0.1 writes them; -0 is 0. Other numbers, NaN and the infinities are of 64 bits. Preconditions: containers are
/// closed in the order they were opened, and in an object each value has its key.
///
/// Text must be UTF-8: other text makes the whole write fail with errc::invalid_utf8.
class writer {
public:
    /// Precondition: `out` outlives the writer.
    explicit writer(core_detail::output& out) noexcept : out_(&out) {}
    writer(writer const&) = delete;
    writer& operator=(writer const&) = delete;

    /// What a json::writer writes to instead of text: `json::writer(out.sink())`.
    [[nodiscard]] json::sink& sink() noexcept { return sink_; }

    /// null, true or false.
    writer& null() { return put(detail::format::nil); }
    writer& boolean(bool b) { return put(b ? detail::format::boolean_true : detail::format::boolean_false); }
    /// Not for pointers, which would become bools.
    template <class T>
    requires std::is_pointer_v<T> writer& boolean(T) = delete;

    /// A number.
    template <std::integral T>
    requires(sizeof(T) <= sizeof(std::uint64_t)) writer& number(T n) {
        if constexpr (std::is_signed_v<T>)
            if (n < 0) return negative(static_cast<std::int64_t>(n));
        return natural(static_cast<std::uint64_t>(n));
    }
    writer& number(double n) {
        auto const integer = detail::as_integer(n);
        if (!integer) return put<8>(detail::format::float64, std::bit_cast<std::uint64_t>(n));
        return integer->is_negative ? number(integer->as_signed()) : number(integer->bits);
    }

    /// A string, or the key of the next value, which stands within an object.
    writer& string(json::detail::string_argument s) { return any_string(s.view); }
    SOCKETLESS_ALWAYS_INLINE writer& key(json::detail::string_argument name) {
        std::size_t const size = name.view.size();
        if (!json::detail::is_plain_literal(name.view) || !out_->has_room(1 + size)) return any_string(name.view);
        ++items_;
        char* const p = out_->position();
        *p = static_cast<char>(detail::format::fixstr | size);
        out_->advance(std::copy_n(name.view.data(), size, p + 1));
        return *this;
    }

    /// A binary value.
    writer& binary(byte_view bytes) {
        put_length(bytes.size(), detail::format::bin8);
        out_->put(as_characters(bytes));
        return *this;
    }

    /// JSON that is already made, read and written anew. An empty text is null.
    writer& raw(json::text made) {
        if (made.empty()) return null();
        json::detail::send_tokens(*this, made.raw(), json::detail::string_role::value);
        return *this;
    }

    /// Begins or ends an array or an object. Precondition: what ends is what was begun last.
    writer& begin_array() { return begin(); }
    writer& end_array() { return end(detail::format::fixarray); }
    writer& begin_object() { return begin(); }
    writer& end_object() { return end(detail::format::fixmap); }

    /// Calls `f(json::writer&)`, whose writer writes the next value here.
    template <class F>
    writer& by_json_writer(F f) {
        json::writer out(sink_);
        f(out);
        return out.status() ? *this : fail(out.status().error().code);
    }

    /// Any C++ value; see `write`.
    template <class T>
    writer& value(T const& v) {
        json::detail::write_value(*this, json::detail::passed_on(v));
        return *this;
    }

    /// A key and its value.
    template <class T>
    SOCKETLESS_ALWAYS_INLINE writer& member(json::detail::string_argument name, T const& v) {
        return key(name).value(v);
    }

    /// JavaScript's undefined, as notepack.io before 3.0 writes it: an extension.
    writer& undefined() { return put<2>(detail::format::fixext1, 0); }

    /// An extension.
    writer& extension(std::int8_t type, byte_view bytes) {
        std::size_t const size = bytes.size();
        if (size != 0 && size <= 16 && std::has_single_bit(size))
            put(detail::format::fixext1 + static_cast<unsigned>(std::countr_zero(size)));
        else
            put_length(size, detail::format::ext8);
        out_->put(static_cast<char>(type));
        out_->put(as_characters(bytes));
        return *this;
    }

    /// Makes the write fail. The first failure is the one reported.
    writer& fail(errc code) noexcept {
        if (failure_ == errc{}) failure_ = code;
        return *this;
    }

    /// Whether anything failed so far: errc::invalid_utf8, errc::null_string for a null pointer to char, and
    /// errc::out_of_range for what is longer than 2^32-1.
    [[nodiscard]] result<void> status() const noexcept {
        if (failure_ != errc{}) return error{failure_};
        return {};
    }

    /// Mends the heads of containers that have become large, in one pass over what was written. Call it once, behind
    /// everything else. Returns `status()`.
    result<void> finish() {
        SOCKETLESS_ASSERT(depth_ == 0 || failure_ != errc{});
        if (!large_.empty()) mend();
        return status();
    }

private:
    class sink_of_writer final : public json::sink {
    public:
        explicit sink_of_writer(writer& out) noexcept : out_(&out) {}

        void null() override { out_->null(); }
        void boolean(bool b) override { out_->boolean(b); }
        void number(std::int64_t n) override { out_->number(n); }
        void number(std::uint64_t n) override { out_->number(n); }
        void number(double n) override { out_->number(n); }
        void string(std::string_view s) override { out_->any_string(s); }
        void key(std::string_view name) override { out_->any_string(name); }
        void binary(byte_view bytes) override { out_->binary(bytes); }
        void begin_array() override { out_->begin_array(); }
        void end_array() override { out_->end_array(); }
        void begin_object() override { out_->begin_object(); }
        void end_object() override { out_->end_object(); }

    private:
        // Without a virtual call for each token.
        void send(std::string_view json, json::detail::string_role role) override {
            json::detail::send_tokens(*out_, json, role);
        }

        writer* out_;
    };

    static constexpr std::size_t longest_short = 31;
    static constexpr std::size_t most_small = 15;
    static constexpr std::uint64_t longest = 0xffffffff;

    // What encloses the innermost container: where its own head is, and how many keys and values it has so far.
    struct container {
        std::size_t head;
        std::uint64_t items;
    };
    // A container whose size takes more than the byte that its head has.
    struct large_container {
        std::size_t head = 0;
        std::uint32_t size = 0;
        unsigned wider = 0; // for 16 bits; the next format is for 32

        [[nodiscard]] std::size_t more() const noexcept { return size <= 0xffff ? 2 : 4; }
    };

    // A value of a format byte, and `Size` bytes of a number.
    template <std::size_t Size = 0>
    writer& put(unsigned f, std::uint64_t n = 0) {
        ++items_;
        put_head<Size>(f, n);
        return *this;
    }
    template <std::size_t Size>
    SOCKETLESS_ALWAYS_INLINE void put_head(unsigned f, std::uint64_t n) {
        if (out_->has_room(1 + Size)) [[likely]] {
            out_->advance(write_head<Size>(out_->position(), f, n));
        } else {
            char head[1 + Size];
            write_head<Size>(head, f, n);
            out_->put(std::string_view(head, sizeof head));
        }
    }
    template <std::size_t Size>
    static char* write_head(char* p, unsigned f, std::uint64_t n) noexcept {
        *p++ = static_cast<char>(f);
        for (std::size_t i = 0; i != Size; ++i) *p++ = static_cast<char>((n >> (Size - 1 - i) * 8) & 0xffu);
        return p;
    }

    // A head with a length, of the formats for 8, 16 and 32 bits that begin with this one.
    void put_length(std::size_t n, unsigned narrowest) {
        if (std::uint64_t{n} > longest) fail(errc::out_of_range);
        if (n <= 0xff)
            put<1>(narrowest, n);
        else if (n <= 0xffff)
            put<2>(narrowest + 1, n);
        else
            put<4>(narrowest + 2, n);
    }

    writer& negative(std::int64_t n) {
        auto const bits = static_cast<std::uint64_t>(n);
        if (n >= -0x20) return put(static_cast<unsigned>(bits & 0xffu));
        if (n >= -0x80) return put<1>(detail::format::int8, bits);
        if (n >= -0x8000) return put<2>(detail::format::int16, bits);
        if (n >= -0x80000000LL) return put<4>(detail::format::int32, bits);
        return put<8>(detail::format::int64, bits);
    }
    writer& natural(std::uint64_t n) {
        if (n < 0x80) return put(static_cast<unsigned>(n));
        if (n <= 0xff) return put<1>(detail::format::uint8, n);
        if (n <= 0xffff) return put<2>(detail::format::uint16, n);
        if (n <= 0xffffffff) return put<4>(detail::format::uint32, n);
        return put<8>(detail::format::uint64, n);
    }

    SOCKETLESS_NEVER_INLINE writer& any_string(std::string_view s) {
        if (s.size() > longest_short || !out_->has_room(1 + longest_short)) return long_string(s);
        ++items_;
        char* const p = out_->position();
        *p = static_cast<char>(detail::format::fixstr | s.size());
        if (json::detail::copy_short(s.data(), s.size(), p + 1).beyond_ascii.any() && !utf8::detail::is_valid_short(s))
            fail_text(s);
        out_->advance(p + 1 + s.size());
        return *this;
    }

    SOCKETLESS_NEVER_INLINE writer& long_string(std::string_view s) {
        if (!utf8::validate(s)) fail_text(s);
        if (s.size() <= longest_short)
            put(detail::format::fixstr | static_cast<unsigned>(s.size()));
        else
            put_length(s.size(), detail::format::str8);
        out_->put(s);
        return *this;
    }

    SOCKETLESS_NEVER_INLINE void fail_text(std::string_view s) noexcept {
        fail(s.data() == json::detail::null_text ? errc::null_string : errc::invalid_utf8);
    }

    writer& begin() {
        ++items_;
        container const outer{head_, items_};
        if (depth_ < std::size(outer_))
            outer_[depth_] = outer;
        else
            more_outer_.push_back(outer);
        ++depth_;
        head_ = out_->size();
        items_ = 0;
        out_->put('\0'); // written when the container ends
        return *this;
    }

    writer& end(unsigned fix) {
        SOCKETLESS_ASSERT(depth_ != 0);
        bool const is_map = fix == detail::format::fixmap;
        std::uint64_t const size = is_map ? items_ / 2 : items_;
        if (size <= most_small) [[likely]]
            out_->replace(head_, static_cast<char>(fix | static_cast<unsigned>(size)));
        else if (size <= longest)
            large_.push_back({head_, static_cast<std::uint32_t>(size),
                              unsigned{is_map ? detail::format::map16 : detail::format::array16}});
        else
            fail(errc::out_of_range);
        container outer{};
        if (--depth_ < std::size(outer_)) {
            outer = outer_[depth_];
        } else {
            outer = more_outer_.back();
            more_outer_.pop_back();
        }
        head_ = outer.head;
        items_ = outer.items;
        return *this;
    }

    // From the end to the first of them, so that nothing moves twice.
    void mend() {
        std::ranges::sort(large_, {}, &large_container::head);
        std::size_t more = 0;
        for (auto const& l : large_) more += l.more();
        std::size_t const size = out_->size();
        if (out_->take(more) == nullptr) return; // only the size counts then
        char* const begin = out_->position() - out_->size();
        char* from = begin + size;
        char* to = out_->position();
        while (!large_.empty()) {
            auto const l = large_.back();
            large_.pop_back();
            char* const contents = begin + l.head + 1;
            to = std::copy_backward(contents, from, to);
            from = contents - 1;
            to -= 1 + l.more();
            if (l.more() == 2)
                write_head<2>(to, l.wider, l.size);
            else
                write_head<4>(to, l.wider + 1, l.size);
        }
    }

    core_detail::output* out_;
    sink_of_writer sink_{*this};
    std::size_t head_ = 0;    // of the innermost container
    std::uint64_t items_ = 0; // its keys and values
    std::size_t depth_ = 0;
    container outer_[8]; // those that enclose it, as many as `depth_` says; the rest is not made
    std::vector<container> more_outer_;
    std::vector<large_container> large_;
    errc failure_{};
};

/// Calls `f(msgpack::writer&)`, which writes one value; the rest is as for `write`.
template <output_target Target, class F>
[[nodiscard]] result<std::size_t> write_with(Target&& target, F f) {
    return core_detail::write_to(target, [&](core_detail::output& out) {
        writer w(out);
        f(w);
        return w.finish();
    });
}

namespace detail {

template <output_target Target, class T>
result<std::size_t> write_passed_on(Target&& target, T const& v) {
    return core_detail::write_to(target, [&](core_detail::output& out) {
        writer w(out);
        w.value(v);
        return w.finish();
    });
}

} // namespace detail

/// Writes `v` as MessagePack: appends to a character container, or fills a std::span<char> from its start. Returns how
/// many bytes that were. What can be written is what `json::write` writes, bytes too, as binary values. A json::text is
/// read and written anew: half a surrogate pair in it becomes U+FFFD.
///
/// Errors: errc::invalid_utf8, errc::null_string for a null pointer to char, errc::out_of_range for what is longer than
/// 2^32-1, errc::buffer_too_small (the offset is the size needed). After an error the container has its old contents.
/// One pass, and a second one over what is behind the first array or map that has more than 15 elements. Besides the
/// container, only deep nests and such arrays and maps allocate.
template <output_target Target, class T>
[[nodiscard]] result<std::size_t> write(Target&& target, T const& v) {
    return detail::write_passed_on(target, json::detail::passed_on(v));
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
