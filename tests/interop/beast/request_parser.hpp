// Reads a request of HTTP/1.1, with a limit for every part of it.
#pragma once

#include <boost/beast/core/error.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/optional.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace beast_driver {

namespace beast = boost::beast;
namespace http = beast::http;

/// The limits of a request, in bytes but for the fields.
struct request_limits {
    /// The request line and the header fields: 431 beyond.
    std::uint32_t header = std::uint32_t{16} * 1024;
    /// The target of the request: 414 beyond.
    std::size_t target = std::size_t{8} * 1024;
    /// The number of header fields: 431 beyond.
    std::size_t fields = 100;
    /// The parts around the chunks of a body: extensions, trailers. 413 beyond, as for a body that is too large.
    std::size_t around_chunks = std::size_t{4} * 1024;
};

/// A target in absolute form, "http://host/path?query": its authority, and the rest, which is its origin form.
struct absolute_target {
    std::string_view authority;
    std::string_view rest; // may lack the slash at its beginning
};

/// Nothing if it has another form, another scheme, no host, or a user before the host.
inline std::optional<absolute_target> parse_absolute_target(std::string_view target) {
    auto const colon = target.find("://");
    if (colon == std::string_view::npos) return std::nullopt;
    auto const scheme = target.substr(0, colon);
    bool const is_known = beast::iequals(scheme, "http") || beast::iequals(scheme, "https") ||
                          beast::iequals(scheme, "ws") || beast::iequals(scheme, "wss");
    target.remove_prefix(colon + 3);
    auto const authority = target.substr(0, target.find_first_of("/?"));
    if (!is_known || authority.empty() || authority.front() == ':' || authority.find('@') != std::string_view::npos)
        return std::nullopt;
    return absolute_target{authority, target.substr(authority.size())};
}

/// Adds to Boost.Beast's parser: it counts all of a head and the parts around chunks, understands the absolute form of
/// a target, whose authority then counts instead of Host, and leaves trailers out of the header fields.
class request_parser final : public http::basic_parser<true> {
public:
    using request = http::request<http::string_body>;
    using error_code = beast::error_code;

    request_parser(request_limits const& limits, std::uint64_t max_body) : limits_(limits) {
        header_limit(limits.header);
        body_limit(max_body);
    }

    [[nodiscard]] request& get() { return request_; }
    [[nodiscard]] request release() { return std::move(request_); }

    /// Reads on in `bytes`; returns how many it has taken. If the error is need_more, pass the others again, with more
    /// behind them.
    std::size_t read(std::string_view bytes, error_code& ec) {
        bool const is_in_body = is_header_done();
        eager(is_in_body);
        auto const taken = put({bytes.data(), bytes.size()}, ec);
        if (!is_in_body || !chunked()) return taken;
        taken_ += taken;
        auto const left = ec == http::error::need_more ? bytes.size() - taken : 0; // a chunk's line that has not ended
        auto const around = taken_ + left - request_.body().size();
        bool const is_too_much =
            extensions_ > limits_.around_chunks || around > limits_.around_chunks + chunks_ * usual_size;
        if (is_too_much && (!ec || ec == http::error::need_more)) ec = http::error::body_limit;
        return taken;
    }

    /// The status of the answer to a request that has failed with this error.
    [[nodiscard]] http::status status_of(error_code ec) const {
        if (ec == http::error::body_limit) return http::status::payload_too_large;
        if (ec == http::error::header_limit) return http::status::request_header_fields_too_large;
        return is_target_too_long_ ? http::status::uri_too_long : http::status::bad_request;
    }

private:
    using string_view = beast::string_view;

    // Of a chunk's size and line ends.
    static constexpr std::size_t usual_size = 20;

    void on_request_impl(http::verb method, string_view method_string, string_view target, int version,
                         error_code& ec) override {
        std::string_view const whole(target.data(), target.size());
        size_ = method_string.size() + whole.size() + std::string_view("  HTTP/1.1\r\n\r\n").size();
        is_target_too_long_ = whole.size() > limits_.target;
        if (is_target_too_long_) return fail(http::error::bad_target, ec);
        if (method == http::verb::unknown)
            request_.method_string(method_string);
        else
            request_.method(method);
        request_.version(static_cast<unsigned>(version));
        if (whole.starts_with('/') || whole == "*" || method == http::verb::connect) return request_.target(target);
        auto const absolute = parse_absolute_target(whole);
        if (!absolute) return fail(http::error::bad_target, ec);
        authority_ = absolute->authority;
        auto const rest = std::string(absolute->rest);
        request_.target(rest.starts_with('/') ? rest : '/' + rest);
    }

    void on_field_impl(http::field name, string_view name_string, string_view value, error_code& ec) override {
        if (is_header_done()) return; // a trailer
        size_ += name_string.size() + value.size() + std::string_view(": \r\n").size();
        if (size_ > limits_.header || ++fields_ > limits_.fields) return fail(http::error::header_limit, ec);
        request_.insert(name, name_string, value);
    }

    void on_header_impl(error_code&) override {
        if (!authority_.empty()) request_.set(http::field::host, authority_);
    }

    void on_body_init_impl(boost::optional<std::uint64_t> const& length, error_code&) override {
        constexpr std::uint64_t at_once = std::uint64_t{64} * 1024; // a peer's word reserves no memory
        if (length) request_.body().reserve(static_cast<std::size_t>(std::min(*length, at_once)));
    }
    std::size_t on_body_impl(string_view body, error_code&) override { return append(body); }

    void on_chunk_header_impl(std::uint64_t, string_view extensions, error_code&) override {
        ++chunks_;
        extensions_ += extensions.size();
    }
    std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override { return append(body); }

    std::size_t append(string_view body) {
        request_.body().append(body.data(), body.size());
        return body.size();
    }

    void on_finish_impl(error_code&) override {}
    void on_response_impl(int, string_view, int, error_code&) override {} // a client's

    static void fail(http::error why, error_code& ec) { ec = why; }

    request_limits limits_;
    request request_;
    std::string authority_;
    std::size_t size_ = 0; // of the head
    std::size_t fields_ = 0;
    std::size_t taken_ = 0; // of a chunked body and the parts around its chunks
    std::size_t chunks_ = 0;
    std::size_t extensions_ = 0; // of all chunks
    bool is_target_too_long_ = false;
};

} // namespace beast_driver
