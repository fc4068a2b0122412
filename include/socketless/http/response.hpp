// Answers of HTTP/1.1 as they arrive: a head, a body in pieces, an end (RFC 9112).
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/detail/body_reader.hpp>
#include <socketless/http/detail/framing.hpp>
#include <socketless/http/detail/head.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/http/part.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// What the head of an answer says. Borrowed.
struct response_head {
    /// The status code.
    int status = 0;
    /// The words behind it; they mean nothing.
    std::string_view reason = {};
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    std::uint8_t minor_version = 1;
    /// The fields.
    field_view fields = {};
    /// Content-Length, if there is one.
    std::optional<std::uint64_t> content_length = {};
    /// Whether the body comes in chunks.
    bool is_chunked = false;
    /// Whether the connection may carry another request.
    bool keep_alive = true;
};

namespace detail {

// What is of answers alone, for a head_parser.
struct response_grammar {
    using head = response_head;
    static constexpr errc first_line_too_long = errc::head_too_large;
    static constexpr unsigned empty_lines = 0; // that may stand before

    static constexpr result<void> read_first_line(std::string_view line, head& out, limits const& /*unused*/) noexcept {
        auto const version = read_version(line.substr(0, 8));
        if (!version) return version.error();
        out.minor_version = *version;
        // "HTTP/1.1 200 OK"; the space before no words may be missing.
        auto const rest = line.substr(8);
        bool const is_cut = rest.size() > 4 && rest[4] != ' ';
        if (rest.size() < 4 || rest[0] != ' ' || is_cut) return error{errc::invalid_start_line};
        for (char const c : rest.substr(1, 3)) {
            if (!core_detail::is_digit(c)) return error{errc::invalid_start_line};
            out.status = out.status * 10 + (c - '0');
        }
        out.reason = rest.substr(std::min<std::size_t>(5, rest.size()));
        if (out.status < 100 || !is_value(out.reason)) return error{errc::invalid_start_line};
        return {};
    }

    static constexpr result<void> apply(framing const& f, head& out) noexcept {
        bool const is_1_1 = out.minor_version == 1;
        if (f.has_coding && (f.content_length || !is_1_1)) return error{errc::invalid_transfer_coding};
        if (f.has_other_coding) return error{errc::unknown_transfer_coding};
        out.content_length = f.content_length;
        out.is_chunked = f.is_chunked;
        out.keep_alive = !f.wants_close && (is_1_1 || f.wants_keep_alive);
        return {};
    }
};

} // namespace detail

/// Reads the head of an answer, whole, up to its empty line:
///
///     head = "HTTP/1." ( "0" / "1" ) SP 3DIGIT [ SP *( VCHAR / SP / tab / obs-text ) ] CRLF
///            *( name ":" OWS value OWS CRLF ) CRLF
///
/// Errors: those of `read_request_head`, but for the target and Host. Allocates nothing. Linear.
/// Source: RFC 9112, 4 to 7.
[[nodiscard]] constexpr result<response_head> read_response_head(std::string_view text, limits const& l = {}) noexcept {
    return detail::read_head<detail::response_grammar>(text, l);
}

/// Reads the answers of one connection, in inputs that are cut anywhere. Use it as `request_reader`, and say `expect`
/// before each answer. An interim answer (1xx) is a head without an end: the final one follows it.
class response_reader {
public:
    /// A reader with these limits.
    explicit response_reader(limits const& l = {}) noexcept : limits_(l) {}
    response_reader(response_reader&&) noexcept = default;
    response_reader& operator=(response_reader&&) noexcept = default;
    response_reader(response_reader const&) = delete;
    response_reader& operator=(response_reader const&) = delete;
    ~response_reader() = default;

    /// The next answer is to a request with this method: an answer to HEAD has no body, and one to CONNECT that says
    /// 2xx ends HTTP on the connection. Precondition: no answer is being read.
    void expect(std::string_view method) noexcept { method_ = kind_of(method); }

    /// The next part: takes its bytes from the front of `input`. Nothing if there is no whole part: then all of the
    /// input was taken. After the end of an answer, it reads the next one.
    ///
    /// After an answer that ends HTTP, 101 or one to CONNECT, it takes nothing more: the rest of the input is of
    /// another protocol. Errors: those of `read_response_head`; errc::invalid_chunk; errc::payload_too_large. Then the
    /// reader has failed for good. Linear, however the input is cut.
    [[nodiscard]] result<std::optional<part>> read(std::span<char>& input) {
        if (state_ == state::failed) return failure_;
        if (state_ == state::tunnel) return std::optional<part>();
        if (state_ == state::ended || state_ == state::interim) begin_next();
        auto const p = state_ == state::head ? read_head(input) : body_.read(input, limits_);
        if (!p) return fail(p.error());
        if (*p && (*p)->type == part_type::end) state_ = is_switch() ? state::tunnel : state::ended;
        return p;
    }

    /// The connection has ended: the end of an answer whose body goes up to there; nothing if no answer is being read.
    /// Errors: errc::truncated_message if an answer has begun, and its end has not come.
    [[nodiscard]] result<std::optional<part>> finish() {
        if (state_ == state::failed) return failure_;
        if (is_idle() || state_ == state::tunnel) return std::optional<part>();
        if (state_ != state::body || !body_.is_until_end()) return fail(errc::truncated_message);
        state_ = state::ended;
        return std::optional(part{.type = part_type::end});
    }

    /// The head of the answer that is being read, until the next one is read. Its views are valid as long as the input
    /// that brought it, or after `keep_head` as long as the reader.
    [[nodiscard]] response_head const& head() const noexcept { return head_.get(); }

    /// Copies a head that is borrowed from the input: call it before the input goes away, if the head is needed later.
    void keep_head() {
        if (state_ == state::head || state_ == state::failed) return;
        bool const keep_alive = head().keep_alive; // the body has a say in it
        head_.keep(limits_);
        head_.get().keep_alive = keep_alive;
    }

    /// Whether no byte of an answer has come, or the last one has ended. After an interim answer it is not idle.
    [[nodiscard]] bool is_idle() const noexcept {
        return state_ == state::ended || (state_ == state::head && head_.is_empty() && !awaits_final_);
    }

private:
    enum class state : std::uint8_t { head, body, interim, ended, tunnel, failed };
    enum class request_kind : std::uint8_t { head, connect, other };

    [[nodiscard]] static constexpr request_kind kind_of(std::string_view name) noexcept {
        return name == "HEAD" ? request_kind::head : name == "CONNECT" ? request_kind::connect : request_kind::other;
    }
    [[nodiscard]] bool is_switch() const noexcept {
        return head().status == 101 || (method_ == request_kind::connect && head().status / 100 == 2);
    }

    [[nodiscard]] result<std::optional<part>> read_head(std::span<char>& input) {
        auto const is_whole = head_.read(input, limits_);
        if (!is_whole) return is_whole.error();
        if (!*is_whole) return std::optional<part>();
        if (auto const good = begin_body(); !good) return good.error();
        return std::optional(part{});
    }

    // Source: RFC 9112, 6.3.
    [[nodiscard]] result<void> begin_body() noexcept {
        bool const is_interim = head().status / 100 == 1 && head().status != 101;
        bool const has_body = method_ != request_kind::head && head().status / 100 != 1 && head().status != 204 &&
                              head().status != 304 && !is_switch();
        state_ = is_interim ? state::interim : state::body;
        if (!has_body) {
            body_.begin(0);
        } else if (head().is_chunked) {
            body_.begin_chunked();
        } else if (head().content_length) {
            if (*head().content_length > limits_.max_body) return error{errc::payload_too_large};
            body_.begin(*head().content_length);
        } else {
            body_.begin_until_end();
            head_.get().keep_alive = false;
        }
        return {};
    }

    [[nodiscard]] error fail(error e) noexcept {
        state_ = state::failed;
        return failure_ = e;
    }
    [[nodiscard]] error fail(errc code) noexcept { return fail(error{code}); }

    void begin_next() noexcept {
        awaits_final_ = state_ == state::interim;
        head_.clear();
        state_ = state::head;
    }

    limits limits_;
    detail::head_reader<detail::response_grammar> head_;
    detail::body_reader body_;
    error failure_;
    state state_ = state::head;
    request_kind method_ = request_kind::other;
    bool awaits_final_ = false; // an interim answer came before this one
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
