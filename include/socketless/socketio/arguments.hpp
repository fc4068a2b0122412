// The arguments of an event or an acknowledgement: each JSON or one of the packet's attachments.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/detail/placeholder.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// One argument, borrowed from its packet and attachments.
class argument {
public:
    /// No argument, or this one of a packet with these attachments.
    constexpr argument() noexcept = default;
    constexpr argument(json::text json, std::span<byte_view const> attachments) noexcept
        : json_(json), attachments_(attachments) {}

    /// The argument as JSON. Binary values, here or within, are their placeholders.
    [[nodiscard]] constexpr json::text json() const noexcept { return json_; }

    /// The attachments of the packet.
    [[nodiscard]] constexpr std::span<byte_view const> attachments() const noexcept { return attachments_; }

    /// The argument itself, if it is binary.
    [[nodiscard]] constexpr std::optional<byte_view> binary() const noexcept { return binary(json_); }

    /// The binary value for which `value`, a part of this argument, stands, if it is a placeholder. In a packet without
    /// attachments such an object is plain data: nothing.
    [[nodiscard]] constexpr std::optional<byte_view> binary(json::text value) const noexcept {
        if (attachments_.empty()) return std::nullopt;
        auto const count = static_cast<std::uint32_t>(attachments_.size());
        auto const index = detail::placeholder_index(value, count);
        if (!index) return std::nullopt;
        return attachments_[*index];
    }

    /// `value`, a part of this argument, as an argument of its own with the same attachments.
    [[nodiscard]] constexpr argument part(json::text value) const noexcept { return {value, attachments_}; }

    /// The argument as a C++ value:
    ///
    ///   byte_view                   a binary value, borrowed; a std::span<unsigned char const> too
    ///   std::vector<std::byte>      a binary value, copied; a std::vector<unsigned char> too: never numbers
    ///   std::optional<T>,           as json::text::get reads them, and T may be binary
    ///     std::vector<T>,
    ///     std::map<std::string, T>
    ///   a type with read_json       what that takes
    ///   what json::text::get reads  the same, of JSON that is not binary
    ///
    /// A default-constructible type of your own that is or holds binary values is read by a function beside it, which
    /// is preferred to one that takes a json::text. `from.part(...).get<byte_view>()` reads a binary value within.
    ///
    ///     socketless::result<void> read_json(socketless::socketio::argument const& from, photo& to);
    ///
    /// Errors: those of json::text::get, the offset counted in `json()`; errc::wrong_kind also for binary where JSON
    /// was asked for and the other way round.
    template <class T>
    [[nodiscard]] constexpr result<T> get() const {
        return json::detail::read<T>(*this);
    }

    friend constexpr result<void> read_json(argument const& from, byte_view& to) noexcept {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to = *bytes;
        return {};
    }

    friend result<void> read_json(argument const& from, std::span<unsigned char const>& to) noexcept {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to = {reinterpret_cast<unsigned char const*>(bytes->data()), bytes->size()};
        return {};
    }

    template <json::detail::byte_type Byte, class Allocator>
    friend constexpr result<void> read_json(argument const& from, std::vector<Byte, Allocator>& to) {
        auto const bytes = from.binary();
        if (!bytes) return error{errc::wrong_kind};
        to.resize(bytes->size());
        std::ranges::transform(*bytes, to.begin(), [](std::byte b) { return static_cast<Byte>(b); });
        return {};
    }

    /// Writes the argument into another packet, its binary values as attachments of that.
    friend constexpr void write_json(json::writer& out, argument const& a) {
        if (a.attachments_.empty() || a.json_.empty()) {
            out.raw(a.json_);
            return;
        }
        std::string_view const raw = a.json_.raw();
        std::size_t written = 0;
        out.begin_raw();
        auto const substitute = [&](detail::placeholder const& p) {
            out.raw_part(raw.substr(written, p.begin - written)).binary(a.attachments_[p.index]);
            written = p.end;
        };
        auto const count = static_cast<std::uint32_t>(a.attachments_.size());
        if (auto const done = detail::for_each_placeholder(raw, count, substitute); !done) out.fail(done.error().code);
        out.raw_part(raw.substr(written)).end_raw();
    }

private:
    json::text json_;
    std::span<byte_view const> attachments_;
};

namespace detail {

// Takes arguments one after the other, each as a type of its own, until one is wrong.
template <class Iterator>
class argument_taker {
public:
    constexpr explicit argument_taker(Iterator first) noexcept : next_(first) {}

    // The next argument, or the first error. An optional one may be missing.
    template <class T>
    [[nodiscard]] constexpr result<T> take() {
        if (!status_) return status_.error();
        auto taken = next_ == std::default_sentinel ? missing<T>() : (*next_++).template get<T>();
        if (!taken) {
            status_ = error{taken.error().code, index_};
            return status_.error();
        }
        ++index_;
        return taken;
    }

    [[nodiscard]] constexpr result<void> status() const noexcept { return status_; }

private:
    template <class T>
    static constexpr result<T> missing() {
        if constexpr (json::detail::is_optional<T>)
            return T{};
        else
            return error{errc::missing_argument};
    }

    Iterator next_;
    std::size_t index_ = 0;
    result<void> status_;
};

} // namespace detail

/// The arguments of an event (without its name) or of an acknowledgement: a forward range of `argument`. Empty
/// for other packets. Borrowed from the packet's text and the attachments; reads lazily.
class arguments {
public:
    /// Walks the arguments.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = argument;
        using difference_type = std::ptrdiff_t;

        /// At no argument, or at this one.
        constexpr iterator() noexcept = default;
        constexpr iterator(json::element_range::iterator element, std::span<byte_view const> attachments) noexcept
            : element_(element), attachments_(attachments) {}

        /// The argument. Precondition: not at the end.
        [[nodiscard]] constexpr argument operator*() const noexcept { return {*element_, attachments_}; }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() noexcept { return ++element_, *this; }
        constexpr iterator operator++(int) noexcept {
            iterator const old = *this;
            return ++element_, old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.element_ == b.element_;
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t end) noexcept {
            return i.element_ == end;
        }

    private:
        json::element_range::iterator element_;
        std::span<byte_view const> attachments_;
    };

    /// No arguments.
    constexpr arguments() noexcept = default;

    /// Give the attachments of a binary packet too: a placeholder without its attachment stands for nothing.
    constexpr explicit arguments(packet const& p, std::span<byte_view const> attachments = {}) noexcept
        : first_(p.data.elements().begin(), attachments) {
        if (is_event(p.type) && first_ != std::default_sentinel) ++first_;
    }

    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return first_; }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }
    /// Whether there are no arguments.
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

    /// How many there are. Linear.
    [[nodiscard]] constexpr std::size_t size() const noexcept {
        std::size_t n = 0;
        for (auto i = begin(); i != end(); ++i) ++n;
        return n;
    }

    /// The first argument as a `T`, by the rules of `argument::get`; further ones are ignored, as by JavaScript's
    /// handlers. If there is no argument, a std::optional is empty.
    /// Errors: errc::missing_argument and those of `argument::get`. The offset of either is the index of the argument,
    /// counted from 0, not a place in it. Allocates only what `T` does.
    template <class T>
    [[nodiscard]] constexpr result<T> get() const {
        return detail::argument_taker(begin()).template take<T>();
    }

    /// The first arguments, each as the type in its place; the error is that of the first that fails.
    ///
    ///     if (auto const args = arguments.get<int, std::string, std::optional<bool>>()) {
    ///         auto const& [id, name, urgent] = *args;
    template <class First, class Second, class... More>
    [[nodiscard]] constexpr result<std::tuple<First, Second, More...>> get() const {
        detail::argument_taker taker(begin());
        // The initializers of a list in braces run from the left to the right.
        std::tuple<result<First>, result<Second>, result<More>...> taken{
            taker.template take<First>(), taker.template take<Second>(), taker.template take<More>()...};
        if (auto const status = taker.status(); !status) return status.error();
        return std::apply([](auto&... values) { return std::tuple<First, Second, More...>(std::move(*values)...); },
                          taken);
    }

private:
    iterator first_;
};

/// Arguments whose number is known only at run time, in place of one: `emit("echo", spread(e.args()))` emits what `e`
/// has brought. Takes any range, and borrows it.
template <std::ranges::input_range Range>
class spread {
public:
    /// Precondition: the range outlives it.
    constexpr explicit spread(Range const& range) noexcept : range_(&range) {}

    friend constexpr void write_json(json::writer& out, spread const& s) {
        for (auto const& value : *s.range_) out.value(value);
    }

private:
    Range const* range_;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
