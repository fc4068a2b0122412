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
#include <socketless/msgpack/detail/write_number.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

class value;

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
    [[nodiscard]] json::sink& sink() noexcept { return sink_ ? *sink_ : sink_.emplace(*this); }

    /// null, true or false.
    writer& null() { return put_value(detail::format::nil); }
    writer& boolean(bool b) { return put_value(b ? detail::format::boolean_true : detail::format::boolean_false); }
    /// Not for pointers, which would become bools.
    template <class T>
    requires std::is_pointer_v<T> writer& boolean(T) = delete;

    /// A number.
    template <std::integral T>
    requires(sizeof(T) <= sizeof(std::uint64_t)) writer& number(T n) {
        ++items_;
        out_->put_piece<detail::longest_number>([n](char* p) { return detail::write_integer(p, +n); });
        return *this;
    }
    writer& number(double n) {
        auto const integer = detail::as_integer(n);
        if (!integer) return put_value<8>(detail::format::float64, std::bit_cast<std::uint64_t>(n));
        return integer->is_negative ? number(integer->as_signed()) : number(integer->bits);
    }

    /// A string, or the key of the next value, which stands within an object.
    writer& string(json::detail::string_argument s) {
        ++items_;
        return text(s.view);
    }
    SOCKETLESS_ALWAYS_INLINE writer& key(json::detail::string_argument name) {
        if (!has_room_behind(name.view, 0)) return text(name.view);
        out_->advance(copy_literal(name.view));
        return *this;
    }

    /// A binary value.
    writer& binary(byte_view bytes) {
        ++items_;
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

    /// MessagePack that is already made, as it is: extensions too, and keys of any kind. An empty value is nil.
    template <std::same_as<value> Value>
    writer& raw(Value const& made) {
        if (made.empty()) return null();
        ++items_;
        out_->put(made.raw());
        return *this;
    }

    /// Begins or ends an array or an object. Precondition: what ends is what was begun last.
    writer& begin_array() { return begin(); }
    writer& end_array() { return end(detail::format::fixarray); }
    writer& begin_object() { return begin(); }
    writer& end_object() { return end(detail::format::fixmap); }

    /// The head of an array of `n` elements: the next `n` values. Of an object of `n` members: the next `n` keys and
    /// values. No end belongs to it. Takes less time than a begin and an end, above all where `n` is over 15.
    SOCKETLESS_ALWAYS_INLINE writer& array_head(std::size_t n) {
        return put_size(n, detail::format::fixarray, detail::format::array16);
    }
    SOCKETLESS_ALWAYS_INLINE writer& object_head(std::size_t n) {
        return put_size(n, detail::format::fixmap, detail::format::map16);
    }

    /// Calls `f(json::writer&)`, whose writer writes the next value here.
    template <class F>
    writer& by_json_writer(F f) {
        json::writer out(sink());
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
        if constexpr (json::detail::written_as_integer<T>) { // with one look at the room for both
            if (!has_room_behind(name.view, detail::longest_number)) return text(name.view).value(v);
            ++items_;
            out_->advance(detail::write_integer(copy_literal(name.view), v));
            return *this;
        } else if constexpr (json::detail::written_as_string<T>) {
            std::string_view const value = json::detail::string_of(v);
            ++items_;
            if (value.size() > longest_short || !has_room_behind(name.view, 1 + longest_short))
                return text(name.view).text(value);
            return text_behind_key(copy_literal(name.view), value);
        } else {
            return key(name).value(v);
        }
    }

    /// JavaScript's undefined, as notepack.io before 3.0 writes it: an extension.
    writer& undefined() { return put_value<2>(detail::format::fixext1, 0); }

    /// An extension.
    writer& extension(std::int8_t type, byte_view bytes) {
        std::size_t const size = bytes.size();
        ++items_;
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

    /// Mends the heads of containers that were begun and have become large, in one pass over what was written. Call it
    /// once, behind everything else. Returns `status()`.
    result<void> finish() {
        SOCKETLESS_ASSERT(depth_ == 0 || failure_ != errc{});
        if (rare_ != nullptr && !rare_->large.empty()) mend();
        return status();
    }

private:
    class sink_of_writer final : public json::sink {
    public:
        explicit sink_of_writer(writer& out) noexcept : json::sink(text_check::due), out_(&out) {}

        void null() override { out_->null(); }
        void boolean(bool b) override { out_->boolean(b); }
        void number(std::int64_t n) override { out_->number(n); }
        void number(std::uint64_t n) override { out_->number(n); }
        void number(double n) override { out_->number(n); }
        void string(std::string_view s) override { out_->string(s); }
        void key(std::string_view name) override { out_->text(name); }
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

    // What encloses the innermost container: where its own head is, and how many values it has so far.
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
    // What few values need.
    struct rare {
        std::vector<container> outer; // those for which `outer_` has no room
        std::vector<large_container> large;
    };

    // A format byte, and `Size` bytes of a number.
    template <std::size_t Size = 0>
    void put(unsigned format, std::uint64_t n = 0) {
        out_->put_piece<1 + Size>([=](char* p) { return detail::write_format<Size>(p, format, n); });
    }
    template <std::size_t Size = 0>
    writer& put_value(unsigned format, std::uint64_t n = 0) {
        ++items_;
        put<Size>(format, n);
        return *this;
    }

    // A head with a length, of the formats for 8, 16 and 32 bits that begin with this one.
    void put_length(std::size_t n, unsigned narrowest) {
        if (n <= 0xff)
            put<1>(narrowest, n);
        else
            put_large(n, narrowest + 1);
    }
    // The same of 16 and 32 bits.
    void put_large(std::size_t n, unsigned narrower) {
        if (std::uint64_t{n} > longest) fail(errc::out_of_range);
        if (n <= 0xffff)
            put<2>(narrower, n);
        else
            put<4>(narrower + 1, n);
    }
    // The head of a container. Its values count as those of the one around it, which gets as many less.
    SOCKETLESS_ALWAYS_INLINE writer& put_size(std::size_t n, unsigned fix, unsigned wider) {
        items_ += 1 - std::uint64_t{n};
        if (n <= most_small && out_->has_room(1)) [[likely]]
            out_->put(static_cast<char>(fix | n));
        else
            put_any_size(n, fix, wider);
        return *this;
    }
    SOCKETLESS_NEVER_INLINE void put_any_size(std::size_t n, unsigned fix, unsigned wider) {
        if (n <= most_small)
            put(fix | static_cast<unsigned>(n));
        else
            put_large(n, wider);
    }

    // Whether the compiler knows this string, and there is room for it and `n` bytes more.
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE bool has_room_behind(std::string_view name, std::size_t n) const noexcept {
        return json::detail::is_plain_literal(name) && out_->has_room(1 + name.size() + n);
    }
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE char* copy_literal(std::string_view name) const noexcept {
        char* const p = out_->position();
        *p = static_cast<char>(detail::format::fixstr | name.size());
        return std::copy_n(name.data(), name.size(), p + 1);
    }

    // A string that does not count: a key, or one that is counted already.
    SOCKETLESS_NEVER_INLINE writer& text(std::string_view s) {
        if (s.size() > longest_short || !out_->has_room(1 + longest_short)) return long_text(s);
        return short_text(out_->position(), s);
    }
    SOCKETLESS_NEVER_INLINE writer& text_behind_key(char* p, std::string_view s) { return short_text(p, s); }
    // A short one at `p`, where there is room for it.
    SOCKETLESS_ALWAYS_INLINE writer& short_text(char* p, std::string_view s) {
        *p = static_cast<char>(detail::format::fixstr | s.size());
        if (json::detail::copy_short(s.data(), s.size(), p + 1).beyond_ascii.any()) return advance_if_utf8(p, s);
        out_->advance(p + 1 + s.size());
        return *this;
    }
    // Not inlined: so what calls it at its end saves no registers.
    SOCKETLESS_NEVER_INLINE writer& advance_if_utf8(char* p, std::string_view s) {
        if (!utf8::detail::is_valid_short(s)) fail_text(s);
        out_->advance(p + 1 + s.size());
        return *this;
    }
    SOCKETLESS_NEVER_INLINE writer& long_text(std::string_view s) {
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

    // The head is written when the container ends.
    SOCKETLESS_ALWAYS_INLINE writer& begin() {
        if (depth_ >= std::size(outer_) || !out_->has_room(1)) [[unlikely]]
            return begin_anyway();
        outer_[depth_] = {head_, items_ + 1};
        return begin_inside();
    }
    SOCKETLESS_ALWAYS_INLINE writer& begin_inside() {
        ++depth_;
        head_ = out_->size();
        items_ = 0;
        out_->put('\0');
        return *this;
    }
    SOCKETLESS_NEVER_INLINE writer& begin_anyway() {
        container const outer{head_, items_ + 1};
        if (depth_ < std::size(outer_))
            outer_[depth_] = outer;
        else
            rarely().outer.push_back(outer);
        return begin_inside();
    }

    SOCKETLESS_ALWAYS_INLINE writer& end(unsigned fix) {
        SOCKETLESS_ASSERT(depth_ != 0);
        if (items_ > most_small || depth_ > std::size(outer_)) [[unlikely]]
            return end_anyway(fix);
        out_->replace(head_, static_cast<char>(fix | static_cast<unsigned>(items_)));
        return end_inside(outer_[depth_ - 1]);
    }
    SOCKETLESS_ALWAYS_INLINE writer& end_inside(container outer) noexcept {
        --depth_;
        head_ = outer.head;
        items_ = outer.items;
        return *this;
    }
    SOCKETLESS_NEVER_INLINE writer& end_anyway(unsigned fix) {
        if (items_ <= most_small)
            out_->replace(head_, static_cast<char>(fix | static_cast<unsigned>(items_)));
        else if (items_ <= longest)
            rarely().large.push_back(
                {head_, static_cast<std::uint32_t>(items_),
                 unsigned{fix == detail::format::fixmap ? detail::format::map16 : detail::format::array16}});
        else
            fail(errc::out_of_range);
        if (depth_ <= std::size(outer_)) return end_inside(outer_[depth_ - 1]);
        container const outer = rare_->outer.back();
        rare_->outer.pop_back();
        return end_inside(outer);
    }

    rare& rarely() {
        if (rare_ == nullptr) rare_ = std::make_unique<rare>();
        return *rare_;
    }

    // From the end to the first of them, so that nothing moves twice.
    void mend() {
        auto& large = rare_->large;
        std::ranges::sort(large, {}, &large_container::head);
        std::size_t more = 0;
        for (auto const& l : large) more += l.more();
        std::size_t const size = out_->size();
        if (out_->take(more) == nullptr) return; // only the size counts then
        char* const begin = out_->position() - out_->size();
        char* from = begin + size;
        char* to = out_->position();
        while (!large.empty()) {
            auto const l = large.back();
            large.pop_back();
            char* const contents = begin + l.head + 1;
            to = std::copy_backward(contents, from, to);
            from = contents - 1;
            to -= 1 + l.more();
            if (l.more() == 2)
                detail::write_format<2>(to, l.wider, l.size);
            else
                detail::write_format<4>(to, l.wider + 1, l.size);
        }
    }

    core_detail::output* out_;
    std::size_t head_ = 0;    // of the innermost container
    std::uint64_t items_ = 0; // its values; of an object its keys do not count
    std::size_t depth_ = 0;
    errc failure_{};
    container outer_[8]; // those that enclose it, as many as `depth_` says; the rest is not made
    std::unique_ptr<rare> rare_;
    std::optional<sink_of_writer> sink_;
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
/// One pass. A second one goes over what is behind the first array or map of more than 15 elements whose size was not
/// known when it began: of a range without a size, of a json::text, or of a write_json that begins and ends it. Besides
/// the container, only such arrays and maps and deep nests allocate.
template <output_target Target, class T>
[[nodiscard]] result<std::size_t> write(Target&& target, T const& v) {
    return detail::write_passed_on(target, json::detail::passed_on(v));
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
