// The network of beast_server.cpp: Boost.Beast speaks HTTP and WebSocket, and drives a socketless::server with requests
// and messages. One thread runs it all. Copy it and make it your own.
#pragma once

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server.hpp>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace engineio = socketless::engineio;
using asio::ip::tcp;
using beast::error_code;

/// `Application` has `void handle(event&)`.
template <class Application>
class network {
public:
    network(socketless::server& io, Application& application) : io_(io), application_(application) {}

    /// Listens on all addresses of IPv4. Returns the port, which 0 leaves to the system. Throws if that fails.
    std::uint16_t listen(std::uint16_t port) {
        tcp::endpoint const all(tcp::v4(), port);
        acceptor_.open(all.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind(all);
        acceptor_.listen();
        accept();
        return acceptor_.local_endpoint().port();
    }

    /// Serves until a signal comes, then closes in good order; the second signal ends it at once.
    void run() {
        signals_.async_wait([this](error_code ec, int) {
            if (ec) return;
            signals_.clear();
            is_closing_ = true;
            io_.handle_timeout(now());
            io_.close();
            drive();
        });
        context_.run();
    }

private:
    class http_connection;
    class channel;

    static constexpr std::chrono::seconds request_time{60}; // for a request or an answer, and between two of them
    static constexpr std::chrono::seconds closing_time{5};  // for the client to read the rest, and to close

    static auto now() { return std::chrono::steady_clock::now(); }

    // Runs after each input. It never runs inside itself: Asio calls no handler before `perform` has returned.
    void drive() {
        for (;;) {
            while (auto e = io_.poll_event()) application_.handle(*e);
            auto const t = io_.poll_transmit(buffer_);
            if (!t) break;
            perform(*t);
        }
        timer_.cancel();
        if (is_closing_ && io_.connection_count() == 0) return end();
        auto const at = io_.poll_timeout();
        if (!at) return;
        timer_.expires_at(*at);
        timer_.async_wait([this](error_code ec) {
            if (ec) return;
            io_.handle_timeout(now());
            drive();
        });
    }

    void perform(engineio::transmit const& t) {
        if (t.type == engineio::transmit_type::respond) {
            if (auto const found = exchanges_.extract(t.id)) found.mapped()->respond(t);
        } else if (t.type == engineio::transmit_type::send) {
            if (auto const found = channels_.find(t.id); found != channels_.end()) found->second->send(t.data);
        } else if (t.type == engineio::transmit_type::close) {
            if (auto const found = channels_.extract(t.id)) found.mapped()->close();
        }
    }

    void accept() {
        acceptor_.async_accept([this](error_code ec, tcp::socket socket) {
            if (!acceptor_.is_open()) return;
            if (ec) { // as when there are too many files
                pause_.expires_after(std::chrono::milliseconds(100));
                return pause_.async_wait([this](error_code) {
                    if (acceptor_.is_open()) accept();
                });
            }
            error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            std::make_shared<http_connection>(*this, std::move(socket))->read();
            accept();
        });
    }

    // Nothing is left to wait for: the context runs dry.
    void end() {
        acceptor_.close();
        signals_.cancel();
        for (http_connection* const c : connections_) c->close_soon();
    }

    std::unordered_set<http_connection*> connections_; // destroyed last
    asio::io_context context_{1};                      // one thread
    socketless::server& io_;
    Application& application_;
    tcp::acceptor acceptor_{context_};
    asio::steady_timer timer_{context_};
    asio::steady_timer pause_{context_};
    asio::signal_set signals_{context_, SIGINT, SIGTERM};
    std::unordered_map<engineio::exchange_id, std::shared_ptr<http_connection>> exchanges_; // that await their answer
    std::unordered_map<engineio::channel_id, std::shared_ptr<channel>> channels_;
    std::uint64_t last_id_ = 0;
    bool is_closing_ = false;
    std::string buffer_;
};

// A WebSocket. It reads messages one after the other, and writes them so.
template <class Application>
class network<Application>::channel final : public std::enable_shared_from_this<channel> {
public:
    channel(network& owner, tcp::socket socket)
        : owner_(owner), websocket_(std::move(socket)), deadline_(owner.context_), id_(++owner.last_id_) {}

    void accept(http::request<http::string_body> const& r) {
        auto timeouts = websocket::stream_base::timeout::suggested(beast::role_type::server);
        timeouts.idle_timeout = websocket::stream_base::none(); // Engine.IO has its own heartbeat
        websocket_.set_option(timeouts);
        websocket_.read_message_max(owner_.io_.options().engine.max_payload);
        websocket_.async_accept(r, [self = this->shared_from_this(), target = std::string(r.target())](error_code ec) {
            if (ec) return;
            self->owner_.channels_.emplace(self->id_, self);
            self->owner_.io_.websocket_opened({.channel = self->id_, .target = target, .is_checked = true}, now());
            self->owner_.drive();
            self->read();
        });
    }

    // `message` is borrowed for the moment, but the network takes its time.
    void send(socketless::frame message) {
        written_ = message.data;
        owner_.io_.pause(id_);
        websocket_.binary(message.kind == socketless::frame_kind::binary);
        websocket_.async_write(asio::buffer(written_), [self = this->shared_from_this()](error_code ec, auto) {
            if (ec || !self->owner_.channels_.contains(self->id_)) return; // reading ends too
            self->owner_.io_.resume(self->id_);
            self->owner_.drive();
        });
    }

    // Beast waits for the write under way. If that or the client takes long, the deadline ends it.
    void close() {
        deadline_.expires_after(closing_time);
        deadline_.async_wait([weak = this->weak_from_this()](error_code ec) {
            if (auto const self = weak.lock(); self && !ec) self->websocket_.next_layer().close(ec);
        });
        websocket_.async_close(websocket::close_code::normal, [self = this->shared_from_this()](error_code) {});
    }

private:
    void read() {
        websocket_.async_read(incoming_, [self = this->shared_from_this()](error_code ec, auto) {
            if (ec) return self->gone();
            auto const kind =
                self->websocket_.got_text() ? socketless::frame_kind::text : socketless::frame_kind::binary;
            auto const bytes = self->incoming_.cdata();
            std::string_view const data(static_cast<char const*>(bytes.data()), bytes.size());
            self->owner_.io_.websocket_received(self->id_, {kind, data}, now());
            self->owner_.drive();
            self->incoming_.clear();
            self->read();
        });
    }

    void gone() {
        if (owner_.channels_.erase(id_) == 0) return;
        owner_.io_.channel_closed(id_, now());
        owner_.drive();
    }

    network& owner_;
    websocket::stream<tcp::socket> websocket_;
    asio::steady_timer deadline_;
    engineio::channel_id id_;
    beast::flat_buffer incoming_;
    std::string written_;
};

// Reads a request, hands it in, and writes its answer; then the next one.
template <class Application>
class network<Application>::http_connection final : public std::enable_shared_from_this<http_connection> {
public:
    http_connection(network& owner, tcp::socket socket)
        : owner_(owner), socket_(std::move(socket)), deadline_(owner.context_) {
        owner_.connections_.insert(this);
    }
    http_connection(http_connection const&) = delete;
    http_connection& operator=(http_connection const&) = delete;
    ~http_connection() { owner_.connections_.erase(this); }

    void read() {
        limit_time(request_time);
        parser_.emplace();
        parser_->header_limit(16 * 1024);
        parser_->body_limit(owner_.io_.options().engine.max_payload);
        http::async_read_header(socket_, bytes_, *parser_, [self = this->shared_from_this()](error_code ec, auto) {
            bool const waits = !ec && beast::iequals(self->parser_->get()[http::field::expect], "100-continue");
            waits ? self->let_continue() : self->read_body(ec);
        });
    }

    void respond(engineio::transmit const& answer) {
        exchange_ = 0;
        write(static_cast<http::status>(answer.status), name(answer.content), answer.data.data);
    }

    // At once if no answer is under way.
    void close_soon() {
        is_last_ = true;
        if (!is_answering_) close();
    }

private:
    using request = http::request<http::string_body>;
    using response = http::response<http::string_body>;

    void let_continue() {
        response_ = response(http::status::continue_, 11);
        http::async_write(socket_, response_,
                          [self = this->shared_from_this()](error_code ec, auto) { self->read_body(ec); });
    }

    void read_body(error_code ec) {
        if (ec) return refuse(ec);
        http::async_read(socket_, bytes_, *parser_, [self = this->shared_from_this()](error_code failed, auto) {
            failed ? self->refuse(failed) : self->take(self->parser_->release());
        });
    }

    // `r` lives until poll_event has returned nothing.
    void take(request r) {
        begin_answer(r);
        if (!owner_.io_.takes(r.target())) return write(http::status::not_found);
        if (!websocket::is_upgrade(r)) return hand_in(r);
        if (auto const refusal = owner_.io_.websocket_refusal(r.target()))
            return write(static_cast<http::status>(refusal->status), name(engineio::content_type::json),
                         refusal->body());
        std::make_shared<channel>(owner_, std::move(socket_))->accept(r);
    }

    void hand_in(request& r) {
        exchange_ = ++owner_.last_id_;
        owner_.exchanges_.emplace(exchange_, this->shared_from_this());
        auto const method = r.method() == http::verb::get    ? engineio::http_method::get
                            : r.method() == http::verb::post ? engineio::http_method::post
                                                             : engineio::http_method::other;
        auto const binary = name(engineio::content_type::binary);
        owner_.io_.http_received({.exchange = exchange_,
                                  .method = method,
                                  .target = r.target(),
                                  .is_binary = beast::iequals(r[http::field::content_type], binary),
                                  .body = r.body()},
                                 now());
        owner_.drive();
        if (exchange_ != 0) watch();
    }

    // Notices when the client goes while its request waits for the answer. Bytes of the next request wait, too.
    void watch() {
        socket_.async_wait(tcp::socket::wait_read, [self = this->shared_from_this(), id = exchange_](error_code ec) {
            error_code failed;
            if (self->exchange_ != id || (!ec && self->socket_.available(failed) != 0)) return;
            self->close();
            self->owner_.exchanges_.erase(std::exchange(self->exchange_, 0));
            self->owner_.io_.http_aborted(id, now());
            self->owner_.drive();
        });
    }

    // The connection has ended, or the request is invalid or too large. What follows it is read and dropped, so that
    // the client gets the answer.
    void refuse(error_code ec) {
        bool const is_parsers = ec.category() == make_error_code(http::error::end_of_stream).category();
        if (!is_parsers || ec == http::error::end_of_stream || ec == http::error::partial_message) return close();
        begin_answer(parser_->get());
        is_last_ = true;
        write(ec == http::error::body_limit     ? http::status::payload_too_large
              : ec == http::error::header_limit ? http::status::request_header_fields_too_large
                                                : http::status::bad_request);
    }

    void begin_answer(request const& r) {
        deadline_.expires_at(asio::steady_timer::time_point::max()); // long-polling takes its time
        is_answering_ = true;
        is_last_ = !r.keep_alive();
        is_head_ = r.method() == http::verb::head;
    }

    void write(http::status status, std::string_view content = {}, std::string_view body = {}) {
        is_last_ = is_last_ || owner_.is_closing_;
        response_ = response(status, 11);
        if (!content.empty()) response_.set(http::field::content_type, content);
        response_.set(http::field::cache_control, engineio::cache_control);
        response_.set(http::field::access_control_allow_origin, "*"); // for pages from elsewhere
        response_.keep_alive(!is_last_);
        response_.body() = body;
        response_.prepare_payload();
        if (is_head_) response_.body().clear();
        limit_time(request_time);
        http::async_write(socket_, response_, [self = this->shared_from_this()](error_code ec, auto) {
            self->is_answering_ = false;
            if (ec) return self->close();
            self->is_last_ ? self->linger() : self->read();
        });
    }

    void linger() {
        limit_time(closing_time);
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        discard();
    }

    void discard() {
        bytes_.clear();
        socket_.async_read_some(bytes_.prepare(8 * 1024), [self = this->shared_from_this()](error_code ec, auto) {
            if (!ec) self->discard();
        });
    }

    void limit_time(std::chrono::seconds time) {
        deadline_.expires_after(time);
        deadline_.async_wait([weak = this->weak_from_this()](error_code ec) {
            auto const self = weak.lock();
            if (self && !ec && self->deadline_.expiry() <= now()) self->close();
        });
    }

    void close() {
        error_code ignored;
        socket_.close(ignored);
    }

    network& owner_;
    tcp::socket socket_;
    asio::steady_timer deadline_; // of what is under way with the client, but for long-polling
    beast::flat_buffer bytes_;
    std::optional<http::request_parser<http::string_body>> parser_;
    response response_;
    engineio::exchange_id exchange_ = 0; // that waits for its answer
    bool is_answering_ = false;
    bool is_last_ = false;
    bool is_head_ = false;
};
