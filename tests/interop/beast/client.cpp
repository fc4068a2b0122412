// The network of a client: its HTTP connections, its WebSockets and the cookies that they share.
#include "client.hpp"

#include "cookies.hpp"
#include "stream.hpp"
#include "tokens.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace beast_driver {

namespace http = beast::http;
namespace websocket = beast::websocket;

namespace {

// An HTTP connection: one exchange at a time, for as many as the server allows.
class http_connection : public std::enable_shared_from_this<http_connection> {
public:
    using request = http::request<http::string_body>;
    using response = http::response<http::string_body>;
    // The answer, or why it did not come.
    using on_answer = std::function<void(error_code, response&)>;

    http_connection(asio::io_context& context, client_settings const& settings, asio::ssl::context& tls)
        : stream_(tcp::socket(context), settings.origin.is_secure ? &tls : nullptr), origin_(settings.origin),
          max_body_(settings.max_payload) {}

    // Precondition: it is new or `is_reusable`.
    void exchange(request r, on_answer done) {
        request_ = std::move(r);
        done_ = std::move(done);
        if (std::exchange(is_connected_, true)) return write();
        stream_.async_connect(origin_, [self = shared_from_this()](error_code ec) {
            if (ec) return self->finish(ec, {});
            self->write();
        });
    }

    // Whether another exchange may be begun. Servers close idle connections after a while, Node's after 5 s; a request
    // that crosses the close would be lost.
    [[nodiscard]] bool is_reusable() {
        if (std::chrono::steady_clock::now() - idle_since_ > max_idle) return false;
        error_code ec;
        char unasked = 0;
        auto& socket = stream_.next_layer();
        socket.non_blocking(true, ec);
        socket.receive(asio::buffer(&unasked, 1), tcp::socket::message_peek, ec);
        return ec == asio::error::would_block; // neither the end nor unasked bytes
    }

    // Gives up. No answer is reported any more.
    void close() {
        done_ = nullptr;
        stream_.close();
    }

private:
    static constexpr std::chrono::seconds max_idle{4};
    // Bytes that the head of an answer may have, and the line of a chunk or the trailers of a body.
    static constexpr std::uint32_t max_head = std::uint32_t{16} * 1024;

    void write() {
        http::async_write(stream_, request_, [self = shared_from_this()](error_code, std::size_t) {
            self->read(); // also if that failed: a server may have refused a body before it has read all of it
        });
    }

    void read() {
        parser_.emplace();
        parser_->body_limit(max_body_);
        parser_->header_limit(max_head);
        http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](error_code ec, std::size_t) {
            bool const is_interim = !ec && self->parser_->get().result_int() / 100 == 1;
            if (is_interim) return self->read(); // as 100 Continue: the answer has yet to come
            self->is_kept_ = !ec && self->parser_->keep_alive();
            self->finish(ec, self->parser_->release());
        });
    }

    void finish(error_code ec, response answer) {
        idle_since_ = is_kept_ ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
        if (auto const done = std::exchange(done_, nullptr)) done(ec, answer);
    }

    stream stream_;
    origin origin_;
    std::size_t max_body_;
    request request_;
    on_answer done_;
    beast::flat_buffer buffer_{max_head}; // the body passes through
    std::optional<http::response_parser<http::string_body>> parser_;
    bool is_connected_ = false;
    bool is_kept_ = false;
    std::chrono::steady_clock::time_point idle_since_;
};

// A WebSocket: writes one message at a time.
class websocket_channel : public std::enable_shared_from_this<websocket_channel> {
public:
    struct events {
        // The server has agreed, or has answered otherwise. Returns whether the subprotocol that it chose was offered.
        std::function<bool(websocket::response_type const&)> answered;
        std::function<void()> opened;
        // It has answered otherwise: there is no WebSocket.
        std::function<void(websocket::response_type const&)> refused;
        std::function<void(socketless::frame)> received;
        // The message has gone: another may be sent.
        std::function<void()> written;
        // It is gone, or could not be opened.
        std::function<void(error_code)> closed;
    };

    websocket_channel(asio::io_context& context, client_settings const& settings, asio::ssl::context& tls, events to)
        : socket_(tcp::socket(context), settings.origin.is_secure ? &tls : nullptr), deadline_(context),
          origin_(settings.origin), host_(settings.origin.authority()), events_(std::move(to)) {
        socket_.read_message_max(settings.max_payload);
        socket_.auto_fragment(false);
    }

    // `add_headers(request)` adds headers that the driver does not know.
    void open(std::string_view target, std::function<void(websocket::request_type&)> add_headers) {
        socket_.set_option(websocket::stream_base::decorator(std::move(add_headers)));
        socket_.next_layer().async_connect(
            origin_, [self = shared_from_this(), t = std::string(target)](error_code ec) {
                if (ec) return self->end(ec);
                self->socket_.async_handshake(self->answer_, self->host_, t, [self](error_code failed) {
                    auto const answer = std::exchange(self->answer_, {});
                    bool const was_offered = self->is_closing_ || self->events_.answered(answer);
                    if (failed == websocket::error::upgrade_declined) return self->end(answer);
                    if (failed) return self->end(failed);
                    if (!was_offered) return self->end(http::error::bad_value);
                    self->is_open_ = true;
                    self->read();
                    if (!self->is_closing_) self->events_.opened();
                });
            });
    }

    // Precondition: the message before was written. Copies the bytes.
    void send(socketless::frame message) {
        outgoing_ = message.data;
        is_writing_ = true;
        socket_.binary(message.kind == socketless::frame_kind::binary);
        socket_.async_write(asio::buffer(outgoing_), [self = shared_from_this()](error_code ec, std::size_t) {
            self->is_writing_ = false;
            if (self->outgoing_.capacity() > kept) self->outgoing_ = {};
            if (self->is_closing_) return self->say_goodbye();
            if (!ec) self->events_.written();
        });
    }

    // Closes once all that was sent has gone, if that ends in time. Reports nothing any more.
    void close() {
        is_closing_ = true;
        if (!is_open_) return socket_.next_layer().close();
        deadline_.expires_after(max_goodbye);
        deadline_.async_wait([weak = weak_from_this()](error_code ec) {
            if (auto const self = weak.lock(); self && !ec) self->socket_.next_layer().close();
        });
        if (!is_writing_) say_goodbye();
    }

private:
    void read() {
        socket_.async_read(incoming_, [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec) return self->end(ec);
            self->deliver();
            self->incoming_.clear();
            if (self->incoming_.capacity() > kept) self->incoming_.shrink_to_fit();
            self->read();
        });
    }

    void deliver() {
        if (is_closing_) return;
        auto const kind = socket_.got_binary() ? socketless::frame_kind::binary : socketless::frame_kind::text;
        auto const data = incoming_.cdata();
        events_.received({kind, {static_cast<char const*>(data.data()), data.size()}});
    }

    void say_goodbye() {
        socket_.async_close(websocket::close_code::normal, [self = shared_from_this()](error_code) {});
    }

    void end(error_code why) {
        if (break_off()) events_.closed(why);
    }
    void end(websocket::response_type const& answer) {
        if (break_off()) events_.refused(answer);
    }

    // Returns false if it is closing already.
    bool break_off() {
        if (std::exchange(is_closing_, true)) return false;
        socket_.next_layer().close();
        return true;
    }

    // Bytes that are kept for later messages.
    static constexpr std::size_t kept = std::size_t{16} * 1024;
    // How long the server may take to read the rest and to answer the close; before the close the session's heartbeat
    // notices silence.
    static constexpr std::chrono::seconds max_goodbye{5};

    websocket::stream<stream> socket_;
    asio::steady_timer deadline_;
    origin origin_;
    std::string host_;
    websocket::response_type answer_;
    events events_; // not called while it is closing
    beast::flat_buffer incoming_;
    std::string outgoing_;
    bool is_open_ = false;
    bool is_writing_ = false;
    bool is_closing_ = false;
};

class network final : public client_network {
public:
    network(asio::io_context& context, client_protocol& io, client_settings settings)
        : context_(context), io_(io), settings_(std::move(settings)), timer_(context),
          cookies_(settings_.origin.host, settings_.origin.is_secure) {
        check_headers(settings_.headers);
        tls_.set_verify_mode(settings_.verify_server ? asio::ssl::verify_peer : asio::ssl::verify_none);
        if (settings_.ca_file.empty())
            tls_.set_default_verify_paths();
        else
            tls_.load_verify_file(settings_.ca_file);
    }

    void drive() override {
        io_.handle_events();
        while (auto const t = io_.poll_transmit(buffer_)) {
            perform(*t);
            io_.handle_events();
        }
        wake_at(io_.poll_timeout());
        io_.rest();
    }

    [[nodiscard]] std::string const& failure() const noexcept override { return failure_; }

private:
    static socketless::time_point now() { return std::chrono::steady_clock::now(); }

    void perform(engineio::transmit const& t) {
        switch (t.type) {
        case engineio::transmit_type::get: return request(t, http::verb::get);
        case engineio::transmit_type::post: return request(t, http::verb::post);
        case engineio::transmit_type::open_websocket: return open_websocket(t.id, t.target);
        case engineio::transmit_type::send: return send(t.id, t.data);
        case engineio::transmit_type::close:
            if (auto const found = channels_.extract(t.id)) found.mapped()->close();
            return;
        case engineio::transmit_type::abort:
            if (auto const found = exchanges_.extract(t.id)) found.mapped()->close();
            return;
        default: return; // those of servers and streams
        }
    }

    //=== HTTP ===//

    void request(engineio::transmit const& t, http::verb method) {
        http_connection::request r(method, t.target, 11);
        r.set(http::field::host, settings_.origin.authority());
        r.set(http::field::accept, "*/*");
        if (method == http::verb::post) {
            r.set(http::field::content_type, name(t.content));
            r.body() = t.data.data;
            r.prepare_payload();
        }
        add_headers(r, settings_.headers, cookies_for(t.target));
        auto const connection = take_connection();
        exchanges_.emplace(t.id, connection);
        auto const done = [this, id = t.id, target = std::string(t.target)](error_code ec,
                                                                            http_connection::response& answer) {
            auto const found = exchanges_.extract(id);
            if (ec) {
                fail_exchange(id, ec);
            } else {
                keep_cookies(answer, target);
                take_answer(id, answer, std::move(found.mapped()));
            }
            drive();
        };
        connection->exchange(std::move(r), done);
    }

    void take_answer(engineio::exchange_id id, http_connection::response& answer,
                     std::shared_ptr<http_connection> connection) {
        idle_.push_back(std::move(connection));
        auto const status = static_cast<int>(answer.result_int());
        if (status != 200) failure_ = describe(status);
        bool const is_binary = beast::iequals(answer[http::field::content_type], name(engineio::content_type::binary));
        io_.http_response(id, status, is_binary, answer.body(), now());
    }

    [[nodiscard]] static std::string describe(int status) { return "HTTP status " + std::to_string(status); }

    void fail_exchange(engineio::exchange_id id, error_code ec) {
        failure_ = ec.message();
        io_.http_failed(id, now());
    }

    // An open, idle connection, if there is one. Drops those that cannot be used any more.
    std::shared_ptr<http_connection> take_connection() {
        while (!idle_.empty()) {
            auto const last = std::move(idle_.back());
            idle_.pop_back();
            if (last->is_reusable()) return last;
        }
        return std::make_shared<http_connection>(context_, settings_, tls_);
    }

    //=== cookies ===//

    [[nodiscard]] std::string cookies_for(std::string_view target) {
        return cookies_.header(target, std::chrono::system_clock::now());
    }

    template <class Answer>
    void keep_cookies(Answer const& answer, std::string_view target) {
        if (!settings_.keeps_cookies) return;
        auto const [begin, end] = answer.equal_range(http::field::set_cookie);
        for (auto i = begin; i != end; ++i) cookies_.take(i->value(), target, std::chrono::system_clock::now());
    }

    //=== WebSocket ===//

    void open_websocket(engineio::channel_id id, std::string_view target) {
        auto const answered = [this, t = std::string(target)](websocket::response_type const& answer) {
            keep_cookies(answer, t);
            return has_offered(answer[http::field::sec_websocket_protocol]);
        };
        auto const opened = [this, id] {
            io_.channel_opened(id, now());
            drive();
        };
        auto const refused = [this, id](websocket::response_type const& answer) {
            auto const status = static_cast<int>(answer.result_int());
            failure_ = describe(status);
            channels_.erase(id);
            io_.channel_refused(id, status, answer.body(), now());
            drive();
        };
        auto const received = [this, id](socketless::frame message) {
            io_.websocket_received(id, message, now());
            drive();
        };
        auto const written = [this, id] {
            io_.resume(id);
            drive();
        };
        auto const closed = [this, id](error_code why) {
            failure_ = why.message();
            channels_.erase(id);
            io_.channel_closed(id, now());
            drive();
        };
        auto const channel = std::make_shared<websocket_channel>(
            context_, settings_, tls_, websocket_channel::events{answered, opened, refused, received, written, closed});
        channels_.emplace(id, channel);
        channel->open(target, [headers = settings_.headers, cookies = cookies_for(target)](auto& request) {
            add_headers(request, headers, cookies);
        });
    }

    // Whether the user's headers offer a subprotocol. No subprotocol is always good.
    [[nodiscard]] bool has_offered(std::string_view subprotocol) const {
        for (auto const& [name, value] : settings_.headers) {
            if (!beast::iequals(name, "sec-websocket-protocol")) continue;
            for (std::string_view rest = value; !rest.empty();)
                if (trimmed(cut(rest, ',')) == subprotocol) return true;
        }
        return subprotocol.empty();
    }

    void send(engineio::channel_id id, socketless::frame message) {
        auto const found = channels_.find(id);
        if (found == channels_.end()) return;
        found->second->send(message);
        io_.pause(id);
    }

    // Waking too early does no harm, so an earlier timer stays as it is.
    void wake_at(std::optional<socketless::time_point> at) {
        if (!at) {
            timer_due_.reset();
            timer_.cancel();
            return;
        }
        if (timer_due_ && *timer_due_ <= *at) return;
        timer_due_ = at;
        timer_.expires_at(*at);
        timer_.async_wait([this](error_code ec) {
            if (ec) return;
            timer_due_.reset();
            io_.handle_timeout(now());
            drive();
        });
    }

    asio::io_context& context_;
    client_protocol& io_;
    client_settings settings_;
    asio::ssl::context tls_{asio::ssl::context::tls_client};
    asio::steady_timer timer_;
    std::optional<socketless::time_point> timer_due_;
    std::unordered_map<engineio::exchange_id, std::shared_ptr<http_connection>> exchanges_; // that await their answer
    std::vector<std::shared_ptr<http_connection>> idle_;
    std::unordered_map<engineio::channel_id, std::shared_ptr<websocket_channel>> channels_;
    std::string buffer_;
    std::string failure_;
    cookie_jar cookies_;
};

} // namespace

std::unique_ptr<client_network> make_network(asio::io_context& context, client_protocol& io, client_settings settings) {
    return std::make_unique<network>(context, io, std::move(settings));
}

} // namespace beast_driver
