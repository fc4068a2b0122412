// The requests that Engine.IO makes of HTTP: their targets, read and written, and the answers to bad ones.
#pragma once

#include <socketless/core/detail/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// One parameter of a query.
struct query_parameter {
    /// As it stands in the query, still percent-encoded; `value` is empty where there is no "=".
    std::string_view name;
    std::string_view value;

    friend constexpr bool operator==(query_parameter const&, query_parameter const&) noexcept = default;
};

/// The parameters of a query, in order, as they stand there: `percent::decode` and `percent::equals` read
/// them. A forward range; empty parameters ("&&") are left out.
///
///     query = parameter *( "&" parameter );  parameter = name [ "=" value ]
class query_view {
public:
    /// Walks the parameters.
    class iterator {
    public:
        /// The names that a forward iterator has.
        using iterator_concept = std::forward_iterator_tag;
        using iterator_category = std::input_iterator_tag;
        using value_type = query_parameter;
        using difference_type = std::ptrdiff_t;

        /// At no parameter, or at the first of a query.
        constexpr iterator() noexcept = default;
        constexpr explicit iterator(std::string_view query) noexcept : rest_(query) { read(); }

        /// The parameter. Precondition: not at the end.
        [[nodiscard]] constexpr query_parameter operator*() const noexcept {
            auto const equals = std::min(current_.find('='), current_.size());
            return {current_.substr(0, equals), current_.substr(std::min(equals + 1, current_.size()))};
        }
        /// The next one. Precondition: not at the end.
        constexpr iterator& operator++() noexcept { return read(), *this; }
        constexpr iterator operator++(int) noexcept {
            iterator const old = *this;
            return read(), old;
        }
        friend constexpr bool operator==(iterator const& a, iterator const& b) noexcept {
            return a.rest_.size() == b.rest_.size() && a.current_.size() == b.current_.size();
        }
        friend constexpr bool operator==(iterator const& i, std::default_sentinel_t) noexcept {
            return i.current_.empty();
        }

    private:
        constexpr void read() noexcept {
            current_ = {};
            while (current_.empty() && !rest_.empty()) {
                current_ = rest_.substr(0, rest_.find('&'));
                rest_.remove_prefix(std::min(current_.size() + 1, rest_.size()));
            }
        }

        std::string_view rest_;
        std::string_view current_;
    };

    /// An empty query, or this one, without its "?". Borrowed.
    constexpr query_view() noexcept = default;
    constexpr explicit query_view(std::string_view query) noexcept : raw_(query) {}

    /// The query as it stands.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return raw_; }
    /// Where the range begins, and where it ends.
    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(raw_); }
    [[nodiscard]] constexpr std::default_sentinel_t end() const noexcept { return {}; }

    /// The value of the parameter, as it stands there: the last if there are several. Linear.
    [[nodiscard]] constexpr std::optional<std::string_view> find(std::string_view name) const noexcept {
        std::optional<std::string_view> value;
        for (query_parameter const p : *this)
            if (percent::equals(p.name, name)) value = p.value;
        return value;
    }
    /// The same as a decoded copy: see `percent::decoded`.
    [[nodiscard]] std::optional<std::string> get(std::string_view name) const {
        auto const value = find(name);
        if (!value) return std::nullopt;
        return percent::decoded(*value);
    }

private:
    std::string_view raw_;
};

/// The parts of a request's target, all of them borrowed. Names and values are compared decoded; if a parameter is
/// given twice, the last counts.
struct request_target {
    /// The part before the "?".
    std::string_view path;
    /// The part behind it.
    query_view query;
    /// 4 if EIO says so, else 3, which had no EIO at first. The server decides whether it serves revision 3.
    engineio::revision revision = revision::v3;
    /// transport, if it is the name of a transport.
    std::optional<engineio::transport> transport;
    /// sid, still percent-encoded, if it is not empty.
    std::optional<std::string_view> sid;
    /// b64, if it is not empty: the client cannot take binary.
    bool base64 = false;
};

namespace detail {

struct target_parts {
    std::string_view path;
    query_view query;
};

// Whether a target begins with a slash and has only characters that a target may have.
constexpr result<void> check_target(std::string_view target) noexcept {
    if (!target.starts_with('/')) return error{errc::invalid_request_target, 0};
    for (std::size_t i = 0; i != target.size(); ++i) {
        auto const byte = static_cast<unsigned char>(target[i]);
        if (byte <= ' ' || byte == 0x7f || byte == '#') return error{errc::invalid_request_target, i};
    }
    return {};
}

constexpr target_parts split_target(std::string_view target) noexcept {
    std::size_t const question = std::min(target.find('?'), target.size());
    return {target.substr(0, question), query_view(target.substr(std::min(question + 1, target.size())))};
}

} // namespace detail

/// Whether a target is for the server with this path: it is the path itself, with or without the slash at its end, or
/// begins with it and a slash. Both are compared as they stand: nothing is resolved or decoded. The path may lack the
/// slash at either end: "socket.io" is "/socket.io/". Every target is under "/".
[[nodiscard]] constexpr bool is_under(std::string_view target, std::string_view path) noexcept {
    if (path.ends_with('/')) path.remove_suffix(1);
    if (!target.starts_with('/')) return false;
    if (!path.empty() && !path.starts_with('/')) target.remove_prefix(1);
    if (!target.starts_with(path)) return false;
    target.remove_prefix(path.size());
    return target.empty() || target.front() == '/' || target.front() == '?';
}

/// Reads the target of a request:
///
///     target = path [ "?" query ];  path = "/" ...
///
/// Neither the path nor the caller's own parameters are changed or checked beyond that.
/// Errors: errc::invalid_request_target where the target does not begin with '/', or holds white space, control
/// characters or '#'. Linear.
/// Source: Engine.IO protocol v4, "Protocol", query parameters.
[[nodiscard]] constexpr result<request_target> parse_request_target(std::string_view target) noexcept {
    if (auto const good = detail::check_target(target); !good) return good.error();
    request_target read;
    auto const parts = detail::split_target(target);
    read.path = parts.path;
    read.query = parts.query;
    for (query_parameter const p : read.query) {
        if (percent::equals(p.name, "EIO")) {
            read.revision = percent::equals(p.value, "4") ? revision::v4 : revision::v3;
        } else if (percent::equals(p.name, "transport")) {
            read.transport.reset();
            for (auto const t : all_transports)
                if (percent::equals(p.value, name(t))) read.transport = t;
        } else if (percent::equals(p.name, "sid")) {
            read.sid = p.value.empty() ? std::nullopt : std::optional(p.value);
        } else if (percent::equals(p.name, "b64")) {
            read.base64 = !p.value.empty();
        }
    }
    return read;
}

/// A path as a request carries it: it begins and ends with a slash; characters that a path cannot hold are
/// percent-encoded, escapes stay as they are. "socket.io" becomes "/socket.io/"; such a path does not change again.
/// Errors: errc::invalid_request_target at a '?', a '#' or a control character, which belong to no path, and where text
/// is not UTF-8. Linear.
[[nodiscard]] inline result<std::string> normalize_path(std::string_view path) {
    if (auto const good = utf8::validate(path); !good) return error{errc::invalid_request_target, good.error().offset};
    std::string normal;
    if (!path.starts_with('/')) normal = "/";
    for (std::size_t i = 0; i != path.size(); ++i) {
        auto const byte = static_cast<unsigned char>(path[i]);
        if (byte < ' ' || byte == 0x7f || byte == '?' || byte == '#') return error{errc::invalid_request_target, i};
        auto const rest = path.substr(i, 3);
        bool const is_escape = rest.size() == 3 && path[i] == '%' && percent::detail::hex_value(rest[1]) >= 0 &&
                               percent::detail::hex_value(rest[2]) >= 0;
        if (std::string_view("/:@!$&'()*+,;=-._~").find(path[i]) != std::string_view::npos || is_escape)
            normal += path[i];
        else
            static_cast<void>(percent::encode(normal, path.substr(i, 1)));
    }
    if (!normal.ends_with('/')) normal += '/';
    return normal;
}

/// The parts that `write_request_target` puts into a target.
struct request_fields {
    /// The path, as it is written: see `normalize_path`.
    std::string_view path = "/engine.io/";
    /// The caller's own parameters, not yet percent-encoded.
    std::span<query_parameter const> query = {};
    /// EIO.
    engineio::revision revision = revision::v4;
    /// transport.
    engineio::transport transport = transport::polling;
    /// A parameter that differs from request to request, so that no cache answers; left out if its value is empty.
    query_parameter timestamp = {"t", ""};
    /// b64: whether to ask for base64 instead of binary bodies.
    bool base64 = false;
    /// Empty before the handshake.
    std::string_view sid = {};
};

/// Writes the target of a request: the path as it is, then the caller's parameters, EIO, transport, the
/// timestamp, b64 and sid, percent-encoded. It leaves out those of the caller's parameters that have a name of the
/// protocol's own: EIO, transport and sid always, the timestamp and b64 where they are written.
/// Errors: errc::invalid_request_target for a path that does not begin with '/' or has a character in it that no
/// path has (white space, control characters, '?', '#'); errc::buffer_too_small.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_request_target(Target&& target, request_fields const& fields) {
    if (auto const good = detail::check_target(fields.path); !good) return good.error();
    std::size_t const question = fields.path.find('?');
    if (question != std::string_view::npos) return error{errc::invalid_request_target, question};
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        char separator = '?';
        auto const put = [&](query_parameter p) {
            out.put(separator);
            separator = '&';
            percent::detail::put(out, p.name);
            out.put('=');
            percent::detail::put(out, p.value);
        };
        out.put(fields.path);
        auto const is_own = [&fields](std::string_view name) {
            return name == "EIO" || name == "transport" || name == "sid" || (fields.base64 && name == "b64") ||
                   (!fields.timestamp.value.empty() && name == fields.timestamp.name);
        };
        for (query_parameter const p : fields.query)
            if (!is_own(p.name)) put(p);
        put({"EIO", fields.revision == revision::v3 ? "3" : "4"});
        put({"transport", name(fields.transport)});
        if (!fields.timestamp.value.empty()) put(fields.timestamp);
        if (fields.base64) put({"b64", "1"});
        if (!fields.sid.empty()) put({"sid", fields.sid});
        return {};
    });
}

/// Why a server refuses a request; the value is the code in the body of its answer.
enum class request_error : std::uint8_t {
    /// There is no such transport, or the server does not offer it.
    unknown_transport,
    /// There is no session of that id.
    unknown_sid,
    /// Only a GET can begin a session.
    bad_handshake_method,
    /// The request does not fit its session, or breaks the protocol in another way.
    bad_request,
    /// `allow_request` does not want it.
    forbidden,
    /// The server does not speak this revision: EIO.
    unsupported_protocol_version,
};

namespace detail {

inline constexpr std::string_view request_error_bodies[] = {
    R"({"code":0,"message":"Transport unknown"})",
    R"({"code":1,"message":"Session ID unknown"})",
    R"({"code":2,"message":"Bad handshake method"})",
    R"({"code":3,"message":"Bad request"})",
    R"({"code":4,"message":"Forbidden"})",
    R"({"code":5,"message":"Unsupported protocol version"})",
};

} // namespace detail

/// The HTTP status of the answer: 403 for forbidden, 400 for the others.
[[nodiscard]] constexpr int status(request_error e) noexcept {
    return e == request_error::forbidden ? 403 : 400;
}

/// The body of the answer, application/json.
[[nodiscard]] constexpr std::string_view body(request_error e) noexcept {
    return detail::request_error_bodies[static_cast<std::size_t>(e)];
}

/// How a server refuses a request.
struct refusal {
    /// The code of the answer.
    request_error code = request_error::bad_request;
    /// The HTTP status: that of the code, but 404 where the path is not the server's, 413 where the body is too large.
    int status = 400;
    /// The words for the client, UTF-8; those of the protocol if empty.
    std::string message = {};

    /// The body of the answer, application/json.
    [[nodiscard]] std::string body() const {
        std::string made;
        if (!message.empty() &&
            json::write(made, json::object("code", static_cast<unsigned>(code), "message", message)))
            return made;
        return std::string(engineio::body(code));
    }
};

/// Reads the body of an answer that refused a request. Errors: those of json::validate, and errc::invalid_payload
/// where it is not an object with one of the codes.
[[nodiscard]] constexpr result<request_error> decode_request_error(std::string_view answer) noexcept {
    auto const valid = json::validate(answer);
    if (!valid) return valid.error();
    auto const code = valid->find("code");
    auto const number = code ? code->get<std::uint8_t>() : result<std::uint8_t>(errc::invalid_payload);
    if (!number || *number >= std::size(detail::request_error_bodies)) return error{errc::invalid_payload};
    return static_cast<request_error>(*number);
}

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
