// The settings of a server on Boost.Beast.
#pragma once

#include "cors.hpp"
#include "request_parser.hpp"
#include "subprotocols.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace beast_driver {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

struct server_settings {
    /// Bytes that a body and a message of a WebSocket may have: that of the engine's options.
    std::size_t max_payload = 1'000'000;
    request_limits limits = {};
    /// The pages of other origins whose scripts may connect.
    cors_settings cors = {};
    /// Chooses among the subprotocols that the client of a WebSocket offers, if it offers any.
    subprotocol_choice choose_subprotocol = first_subprotocol;
    /// The certificate and its key; without these, connections are not encrypted.
    asio::ssl::context* tls = nullptr;
    /// Answers the requests with other paths; without it, the answer is 404.
    std::function<response(request const&)> page = {};
    /// How long a client may take for a request, and rest between two of them.
    std::chrono::seconds request_timeout{60};
};

} // namespace beast_driver
