// Requests of HTTP/1.1 as they arrive: a head, a body in pieces, an end (RFC 9112).
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/detail/authority.hpp>
#include <socketless/http/detail/body_reader.hpp>
#include <socketless/http/detail/framing.hpp>
#include <socketless/http/detail/head.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/http/part.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// What the head of a request says. Borrowed.
struct request_head {
    /// The method, as it came: methods are compared with their case.
    std::string_view method = {};
    /// The target: path and query, "/path?query". "*" of OPTIONS, and the authority of CONNECT, are as they came. Of a
    /// target in absolute form it is the part behind the authority, which may lack the slash: "" or "?query".
    std::string_view target = {};
    /// Host, or the authority of a target in absolute form, which counts instead (RFC 9112, 3.2.2).
    std::string_view host = {};
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    std::uint8_t minor_version = 1;
    /// The fields.
    field_view fields = {};
    /// Content-Length, if there is one.
    std::optional<std::uint64_t> content_length = {};
    /// Whether the body comes in chunks. If neither is so, there is no body.
    bool is_chunked = false;
    /// Whether another request may follow on this connection.
    bool keep_alive = true;
    /// Whether the client waits for "100 Continue" before it sends the body.
    bool expects_continue = false;
};

namespace detail {

constexpr bool is_target_character(char c) noexcept {
    return c > ' ' && c < '\x7f' && c != '#';
}

constexpr bool is_target(std::string_view text) noexcept {
    if (!std::is_constant_evaluated() && text.size() >= sizeof(std::uint64_t))
        return !any_word(
            text, [](std::uint64_t word) { return word | less(word, ' ' + 1) | same(word, 0x7f) | same(word, '#'); });
    return std::ranges::all_of(text, is_target_character);
}

// Cuts the scheme and the authority off a target in absolute form. Source: RFC 9112, 3.2.2.
constexpr result<void> read_absolute(request_head& head) noexcept {
    auto const colon = head.target.find("://");
    if (colon == std::string_view::npos) return error{errc::invalid_start_line};
    auto const scheme = head.target.substr(0, colon);
    bool const is_known = token::equals(scheme, "http") || token::equals(scheme, "https") ||
                          token::equals(scheme, "ws") || token::equals(scheme, "wss");
    if (!is_known) return error{errc::invalid_start_line};
    auto const rest = head.target.substr(colon + 3);
    head.host = rest.substr(0, rest.find_first_of("/?"));
    head.target = rest.substr(head.host.size());
    return is_authority(head.host) ? result<void>() : error{errc::invalid_start_line};
}

// The four forms of a target. Source: RFC 9112, 3.2.
constexpr result<void> read_target(request_head& head, limits const& l) noexcept {
    if (head.target.size() > l.max_target) return error{errc::target_too_long};
    if (head.target.empty() || !is_target(head.target)) return error{errc::invalid_start_line};
    if (head.method == "CONNECT") {
        bool const is_good = is_authority(head.target) && !read_authority(head.target)->port.empty();
        return is_good ? result<void>() : error{errc::invalid_start_line};
    }
    if (head.target.starts_with('/') || (head.target == "*" && head.method == "OPTIONS")) return {};
    return read_absolute(head);
}

// What is of requests alone, for a head_parser.
struct request_grammar {
    using head = request_head;
    static constexpr errc first_line_too_long = errc::target_too_long;
    static constexpr unsigned empty_lines = 4; // that may stand before

    static constexpr result<void> read_first_line(std::string_view line, head& out, limits const& l) noexcept {
        auto const space = line.find(' ');
        if (space == std::string_view::npos) return error{errc::invalid_start_line};
        auto const second = line.find(' ', space + 1);
        if (second == std::string_view::npos) return error{errc::invalid_start_line};
        out.method = line.substr(0, space);
        out.target = line.substr(space + 1, second - space - 1);
        auto const version = read_version(line.substr(second + 1));
        if (!version) return version.error();
        out.minor_version = *version;
        if (!token::is_valid(out.method)) return error{errc::invalid_start_line};
        return read_target(out, l);
    }

    static constexpr result<void> apply(framing const& f, head& out) noexcept {
        bool const is_1_1 = out.minor_version == 1;
        bool const is_host = f.host.empty() || is_authority(f.host);
        if (f.hosts > 1 || (is_1_1 && f.hosts == 0) || !is_host) return error{errc::invalid_host};
        if (f.has_coding && (!f.is_chunked || f.content_length || !is_1_1)) return error{errc::invalid_transfer_coding};
        if (f.has_other_coding) return error{errc::unknown_transfer_coding};
        if (out.host.empty()) out.host = f.host;
        out.content_length = f.content_length;
        out.is_chunked = f.is_chunked;
        out.keep_alive = !f.wants_close && (is_1_1 || f.wants_keep_alive);
        out.expects_continue = f.expects_continue && is_1_1 && (f.is_chunked || f.content_length.value_or(0) != 0);
        return {};
    }
};

} // namespace detail

/// Reads the head of a request, whole, up to its empty line:
///
///     head = method SP target SP "HTTP/1." ( "0" / "1" ) CRLF *( name ":" OWS value OWS CRLF ) CRLF
///
/// Errors: errc::invalid_start_line, errc::unsupported_http_version, errc::target_too_long; errc::invalid_field for a
/// field that breaks the grammar: white space before the colon, a folded line, a control character;
/// errc::too_many_fields, errc::head_too_large; errc::invalid_host unless there is exactly one Host (HTTP/1.0 may do
/// without); errc::invalid_content_length for anything but digits, and for several that differ;
/// errc::invalid_transfer_coding if the body has no end that both sides see: chunked is not the last coding, or comes
/// with Content-Length or HTTP/1.0; errc::unknown_transfer_coding; errc::truncated_message if the empty line has not
/// come. Their offset is that of the line at fault, or 0. `status_of` has the answer. Allocates nothing. Linear, in one
/// pass. Source: RFC 9112, 2 to 7.
[[nodiscard]] constexpr result<request_head> read_request_head(std::string_view text, limits const& l = {}) noexcept {
    return detail::read_head<detail::request_grammar>(text, l);
}

/// Reads the requests of one connection, one behind the other, in inputs that are cut anywhere:
///
///     http::request_reader reader;
///     while (auto const part = reader.read(input)) {            // an error: answer with status_of, and close
///         if (!*part) return;                                   // until there is more input
///         switch ((*part)->type) {
///         case http::part_type::head: use(reader.head()); break;
///         case http::part_type::body: use((*part)->data); break;
///         case http::part_type::end: answer(); break;
///         }
///     }
///
/// A head that lies in one input is borrowed from it; otherwise, the reader keeps its bytes. A reader that was
/// asked for the next request, and waits for it, owns no memory. Nothing is reserved because a peer's number said so. A
/// line is checked as soon as it has come, so nonsense is refused before the whole of it is there. A reader can be
/// moved at any time; a copy would share borrowed bytes.
class request_reader {
public:
    /// A reader with these limits.
    explicit request_reader(limits const& l = {}) noexcept : limits_(l) {}
    request_reader(request_reader&&) noexcept = default;
    request_reader& operator=(request_reader&&) noexcept = default;
    request_reader(request_reader const&) = delete;
    request_reader& operator=(request_reader const&) = delete;
    ~request_reader() = default;

    /// The next part: takes its bytes from the front of `input`. Nothing if there is no whole part: then all of the
    /// input was taken. After the end of a request, it reads the next one. Up to four empty lines may stand before a
    /// request (RFC 9112, 2.2).
    /// Errors: those of `read_request_head`; errc::invalid_chunk; errc::payload_too_large. Then the reader has failed
    /// for good. Linear, however the input is cut.
    [[nodiscard]] result<std::optional<part>> read(std::span<char>& input) {
        if (state_ == state::failed) return failure_;
        if (state_ == state::ended) begin_next();
        auto const p = state_ == state::head ? read_head(input) : body_.read(input, limits_);
        if (!p) {
            state_ = state::failed;
            failure_ = p.error();
        } else if (*p && (*p)->type == part_type::end) {
            state_ = state::ended;
        }
        return p;
    }

    /// The head of the request that is being read, until the next one is read. Its views are valid as long as the input
    /// that brought it, or after `keep_head` as long as the reader.
    [[nodiscard]] request_head const& head() const noexcept { return head_.get(); }

    /// Copies a head that is borrowed from the input: call it before the input goes away, if the head is needed later.
    void keep_head() {
        if (state_ == state::body || state_ == state::ended) head_.keep(limits_);
    }

    /// Whether no byte of a request has come, or the last one has ended.
    [[nodiscard]] bool is_idle() const noexcept {
        return state_ == state::ended || (state_ == state::head && head_.is_empty());
    }

private:
    enum class state : std::uint8_t { head, body, ended, failed };

    [[nodiscard]] result<std::optional<part>> read_head(std::span<char>& input) {
        auto const is_whole = head_.read(input, limits_);
        if (!is_whole) return is_whole.error();
        if (!*is_whole) return std::optional<part>();
        auto const length = head().content_length.value_or(0);
        if (length > limits_.max_body) return error{errc::payload_too_large};
        if (head().is_chunked)
            body_.begin_chunked();
        else
            body_.begin(length);
        state_ = state::body;
        return std::optional(part{});
    }

    void begin_next() noexcept {
        head_.clear();
        state_ = state::head;
    }

    limits limits_;
    detail::head_reader<detail::request_grammar> head_;
    detail::body_reader body_;
    error failure_;
    state state_ = state::head;
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
