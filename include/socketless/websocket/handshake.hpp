// The opening handshake of WebSocket (RFC 6455, 4), for both ends: what must stand in the request and in its answer.
// Whoever reads and writes the HTTP messages gives their fields, in whatever form they are kept.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/text/base64.hpp>
#include <socketless/text/token.hpp>
#include <socketless/websocket/detail/sha1.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::websocket {

/// A field of an HTTP message: anything with a `name` and a `value`.
template <class T>
concept field_like = requires(T const& field) {
    { field.name } -> std::convertible_to<std::string_view>;
    { field.value } -> std::convertible_to<std::string_view>;
};

/// The fields of an HTTP message, in the order in which they came. Names are compared in any case.
template <class T>
concept field_range = std::ranges::forward_range<T const> && field_like<std::ranges::range_value_t<T const>>;

/// The one version of the protocol.
inline constexpr std::string_view protocol_version = "13";

/// The most subprotocols that a request may offer.
inline constexpr std::size_t max_subprotocols = 100;

/// The value of Sec-WebSocket-Accept.
using accept_value = std::array<char, 28>;

/// The value that proves that a server has understood the request with this Sec-WebSocket-Key. Source: RFC 6455, 4.2.2.
[[nodiscard]] constexpr accept_value accept_of(std::string_view key) noexcept {
    auto const digest = detail::sha1().add(key).add("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest();
    accept_value accept{};
    base64::encode({digest.data(), digest.size()}, accept.data());
    return accept;
}

/// The value of Sec-WebSocket-Key: 16 bytes as base64.
using key_value = std::array<char, 24>;

/// A new key, for one request. Throws what the source throws.
[[nodiscard]] inline key_value make_key(random_source const& random) {
    std::array<std::byte, 16> bytes{};
    random(bytes);
    std::array<char, bytes.size()> characters{};
    std::ranges::transform(bytes, characters.begin(), [](std::byte b) { return static_cast<char>(b); });
    key_value key{};
    base64::encode({characters.data(), characters.size()}, key.data());
    return key;
}

/// The status of the answer to a request that `read_request` has refused: 426 for another version, with the field
/// `Sec-WebSocket-Version: 13`; 400 for the others.
[[nodiscard]] constexpr int status_of(errc code) noexcept {
    return code == errc::unsupported_websocket_version ? 426 : 400;
}

namespace detail {

inline constexpr std::string_view version_name = "Sec-WebSocket-Version";
inline constexpr std::string_view key_name = "Sec-WebSocket-Key";
inline constexpr std::string_view accept_name = "Sec-WebSocket-Accept";
inline constexpr std::string_view protocol_name = "Sec-WebSocket-Protocol";
inline constexpr std::string_view extensions_name = "Sec-WebSocket-Extensions";

// Calls `use(value)` for each field of this name.
template <field_range Fields, class Use>
constexpr void for_each(Fields const& fields, std::string_view name, Use use) {
    for (auto const& field : fields)
        if (token::equals(field.name, name)) use(token::trimmed(field.value));
}

template <field_range Fields>
constexpr std::size_t count(Fields const& fields, std::string_view name) {
    std::size_t n = 0;
    for_each(fields, name, [&n](std::string_view) { ++n; });
    return n;
}

// The value of the only field of this name.
template <field_range Fields>
constexpr std::optional<std::string_view> only(Fields const& fields, std::string_view name) {
    std::optional<std::string_view> found;
    for_each(fields, name, [&found](std::string_view value) { found = value; });
    return count(fields, name) == 1 ? found : std::nullopt;
}

// Whether a list, on one line or several, has this element, in any case.
template <field_range Fields>
constexpr bool lists(Fields const& fields, std::string_view name, std::string_view element) {
    bool found = false;
    for_each(fields, name, [&](std::string_view value) { found = found || token::list(value).contains(element); });
    return found;
}

// 16 bytes as base64 with its padding.
constexpr bool is_key(std::string_view key) noexcept {
    std::array<char, 18> bytes{};
    return key.size() == key_value{}.size() && base64::decode(key, bytes) == std::size_t{16};
}

} // namespace detail

/// The subprotocols that a request offers, in its order. They may stand on several lines:
///
///     Sec-WebSocket-Protocol = 1#token
///
/// A range of std::string_view that owns nothing: valid as long as the fields. Source: RFC 6455, 11.3.4.
template <field_range Fields>
class subprotocol_list {
public:
    /// Walks the subprotocols.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;

        /// At no subprotocol, or at the first one.
        constexpr iterator() = default;
        constexpr explicit iterator(Fields const& fields)
            : field_(std::ranges::begin(fields)), end_(std::ranges::end(fields)) {
            find();
        }

        /// The subprotocol. Precondition: not at the end.
        [[nodiscard]] constexpr std::string_view operator*() const noexcept { return *element_; }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() {
            if (++element_ == std::default_sentinel) {
                ++field_;
                find();
            }
            return *this;
        }
        constexpr iterator operator++(int) {
            iterator const old = *this;
            ++*this;
            return old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) {
            return a.field_ == b.field_ && a.element_ == b.element_;
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t) { return i.field_ == i.end_; }

    private:
        // Goes to the first element of this field or of a later one.
        constexpr void find() {
            for (element_ = {}; field_ != end_; ++field_) {
                auto const& field = *field_;
                if (!token::equals(field.name, detail::protocol_name)) continue;
                element_ = token::list(field.value).begin();
                if (element_ != std::default_sentinel) return;
            }
        }

        std::ranges::iterator_t<Fields const> field_{};
        std::ranges::sentinel_t<Fields const> end_{};
        token::list::iterator element_;
    };

    /// Of these fields, which must outlive the list.
    constexpr explicit subprotocol_list(Fields const& fields) noexcept : fields_(&fields) {}

    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const { return iterator(*fields_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }

    /// Whether nothing is offered.
    [[nodiscard]] constexpr bool empty() const { return begin() == end(); }
    /// The first one, or an empty text: what the reference server chooses.
    [[nodiscard]] constexpr std::string_view first() const { return empty() ? std::string_view() : *begin(); }
    /// The first one that is also `wanted`, or an empty text.
    [[nodiscard]] constexpr std::string_view first_of(std::span<std::string_view const> wanted) const {
        for (std::string_view const offered : *this)
            if (std::ranges::find(wanted, offered) != wanted.end()) return offered;
        return {};
    }

private:
    Fields const* fields_;
};

namespace detail {

// Tokens, each only once, none of them empty. What a request may offer bounds the work.
template <field_range Fields>
constexpr bool is_good(subprotocol_list<Fields> const& offered, Fields const& fields) {
    bool has_empty = false; // which no client sends, and the reference refuses
    for_each(fields, protocol_name,
             [&](std::string_view value) { has_empty = has_empty || token::list(value).has_empty_element(); });
    if (has_empty) return false;
    std::size_t number = 0;
    for (auto i = offered.begin(); i != offered.end(); ++i) {
        if (++number > max_subprotocols || !token::is_valid(*i)) return false;
        for (auto earlier = offered.begin(); earlier != i; ++earlier)
            if (*earlier == *i) return false;
    }
    return true;
}

} // namespace detail

/// What a request for a WebSocket says. Borrowed: valid as long as the fields.
template <field_range Fields>
struct handshake_offer {
    /// The value of Sec-WebSocket-Key: `accept_of` makes the answer.
    std::string_view key;
    /// The subprotocols that the client offers.
    subprotocol_list<Fields> subprotocols;
};

/// Whether a request asks for a WebSocket, well or not: its Upgrade field names it.
template <field_range Fields>
[[nodiscard]] constexpr bool is_upgrade(Fields const& fields) {
    return detail::lists(fields, "Upgrade", "websocket");
}

/// Reads a request for a WebSocket; `minor_version` is the second number of HTTP/1.1. Extensions are offered in vain.
///
/// Errors, see `status_of`: errc::not_a_websocket_handshake for another method than GET, for HTTP/1.0, and if Upgrade
/// does not name websocket or Connection does not name upgrade; errc::unsupported_websocket_version unless there is
/// exactly one Sec-WebSocket-Version, and it is 13; errc::invalid_websocket_key unless there is exactly one
/// Sec-WebSocket-Key, of 16 bytes; errc::invalid_field if the subprotocols are not tokens, if one stands there twice,
/// or if they are more than `max_subprotocols`. Allocates nothing. Linear. Source: RFC 6455, 4.2.1.
template <field_range Fields>
[[nodiscard]] constexpr result<handshake_offer<Fields>> read_request(std::string_view method, unsigned minor_version,
                                                                     Fields const& fields) {
    bool const is_handshake =
        method == "GET" && minor_version >= 1 && is_upgrade(fields) && detail::lists(fields, "Connection", "upgrade");
    if (!is_handshake) return errc::not_a_websocket_handshake;
    if (detail::only(fields, detail::version_name) != protocol_version) return errc::unsupported_websocket_version;
    auto const key = detail::only(fields, detail::key_name);
    if (!key || !detail::is_key(*key)) return errc::invalid_websocket_key;
    subprotocol_list<Fields> const offered(fields);
    if (!detail::is_good(offered, fields)) return errc::invalid_field;
    return handshake_offer<Fields>{*key, offered};
}
/// The offer would borrow from fields that are gone.
template <field_range Fields>
void read_request(std::string_view, unsigned, Fields const&&) = delete;

/// Calls `write(name, value)` for each field of the server's answer, status 101, to the request whose key has given
/// `accept`: see `accept_of`. An empty subprotocol means that none was chosen. The texts are valid as long as the
/// arguments.
template <std::invocable<std::string_view, std::string_view> Write>
constexpr void write_response_fields(accept_value const& accept, std::string_view subprotocol, Write write) {
    write("Upgrade", "websocket");
    write("Connection", "Upgrade");
    write(detail::accept_name, std::string_view(accept.data(), accept.size()));
    if (!subprotocol.empty()) write(detail::protocol_name, subprotocol);
}

/// Calls `write(name, value)` for each field that a client's request has beside Host. The texts are valid within the
/// call. Precondition: the subprotocols are different tokens.
template <std::invocable<std::string_view, std::string_view> Write>
void write_request_fields(std::string_view key, std::span<std::string_view const> subprotocols, Write write) {
    write("Upgrade", "websocket");
    write("Connection", "Upgrade");
    write(detail::version_name, protocol_version);
    write(detail::key_name, key);
    if (subprotocols.empty()) return;
    std::string list; // on one line: some servers read only the first
    for (std::string_view const subprotocol : subprotocols) {
        SOCKETLESS_ASSERT(token::is_valid(subprotocol));
        if (!list.empty()) list += ", ";
        list += subprotocol;
    }
    write(detail::protocol_name, std::string_view(list));
}

/// Checks the answer to a client's request with this key, and returns the subprotocol that the server chose; an empty
/// text if it chose none. Borrowed from `offered`.
///
/// Errors: errc::not_a_websocket_handshake if the status is not 101, Upgrade is not websocket, or Connection does not
/// name upgrade; errc::invalid_websocket_key unless there is exactly one Sec-WebSocket-Accept, and it answers the key;
/// errc::unoffered_extension for any extension; errc::unoffered_subprotocol for a subprotocol that is not `offered`, or
/// several. Linear. Source: RFC 6455, 4.1.
template <field_range Fields>
[[nodiscard]] constexpr result<std::string_view> check_response(int status, Fields const& fields, std::string_view key,
                                                                std::span<std::string_view const> offered = {}) {
    auto const upgrade = detail::only(fields, "Upgrade");
    bool const is_handshake = status == 101 && upgrade && token::equals(*upgrade, "websocket") &&
                              detail::lists(fields, "Connection", "upgrade");
    if (!is_handshake) return errc::not_a_websocket_handshake;
    auto const expected = accept_of(key);
    if (detail::only(fields, detail::accept_name) != std::string_view(expected.data(), expected.size()))
        return errc::invalid_websocket_key;
    if (detail::count(fields, detail::extensions_name) != 0) return errc::unoffered_extension;

    if (detail::count(fields, detail::protocol_name) == 0) return std::string_view();
    auto const chosen = detail::only(fields, detail::protocol_name);
    auto const found = std::ranges::find(offered, chosen.value_or(std::string_view()));
    if (found == offered.end()) return errc::unoffered_subprotocol;
    return *found;
}

} // namespace socketless::inline v0::websocket

#include <socketless/core/detail/epilogue.hpp>
