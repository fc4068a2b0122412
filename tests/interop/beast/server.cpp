// The network of a server: it accepts connections, which speak HTTP, and some of them then WebSocket.
#include "server.hpp"

#include "request_parser.hpp"
#include "stream.hpp"
#include "subprotocols.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl/stream_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
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
#include <vector>

namespace beast_driver {

namespace websocket = beast::websocket;

namespace {

class network final : public server_network {
public:
    network(asio::io_context& context, server_protocol& io, server_settings settings)
        : context_(context), io_(io), settings_(std::move(settings)), acceptor_(context), timer_(context),
          signals_(context) {}

    std::uint16_t listen(std::uint16_t port) override {
        error_code no_v6;
        acceptor_.open(tcp::v6(), no_v6);
        if (!no_v6) acceptor_.set_option(asio::ip::v6_only(false), no_v6); // of both versions of IP
        if (no_v6) {
            acceptor_.close();
            acceptor_.open(tcp::v4());
        }
        acceptor_.set_option(asio::socket_base::reuse_address(true));
        acceptor_.bind({no_v6 ? tcp::v4() : tcp::v6(), port});
        acceptor_.listen();
        accept();
        return acceptor_.local_endpoint().port();
    }

    void close_on_signal() override {
        signals_.add(SIGINT);
        signals_.add(SIGTERM);
        signals_.async_wait([this](error_code ec, int) {
            if (ec) return;
            signals_.async_wait([this](error_code again, int) {
                if (!again) context_.stop();
            });
            close();
        });
    }

    void close() override {
        if (std::exchange(is_closing_, true)) return;
        io_.handle_timeout(now());
        io_.close_sessions();
        drive();
    }

    void drive() override {
        io_.handle_events();
        while (auto const t = io_.poll_transmit(buffer_)) {
            perform(*t);
            io_.handle_events();
        }
        if (is_closing_ && io_.connection_count() == 0)
            end();
        else
            wake_at(io_.poll_timeout());
    }

private:
    using time_point = socketless::time_point;

    class http_connection;
    class websocket_channel;

    // How long a client may take to read the rest and to close its side.
    static constexpr std::chrono::seconds closing_time{5};

    static time_point now() { return std::chrono::steady_clock::now(); }

    // These stand below the connections, which they use.
    void perform(engineio::transmit const& t);
    void accept();
    void end();

    void accept_later() {
        auto const pause = std::make_shared<asio::steady_timer>(context_, std::chrono::milliseconds(100));
        pause->async_wait([this, pause](error_code) {
            if (acceptor_.is_open()) accept();
        });
    }

    // Waking too early does no harm, so an earlier timer stays as it is.
    void wake_at(std::optional<time_point> at) {
        if (!at || (timer_due_ && *timer_due_ <= *at)) return;
        timer_due_ = at;
        timer_.expires_at(*at);
        timer_.async_wait([this](error_code ec) {
            if (ec) return;
            timer_due_.reset();
            io_.handle_timeout(now());
            drive();
        });
    }

    // Whether the request is the protocol's.
    bool serves(request const& r) const { return io_.takes(r.target()); }

    static bool is_handshake(request const& r) {
        auto const target = engineio::parse_request_target(r.target());
        return target && !target->sid;
    }

    asio::io_context& context_;
    server_protocol& io_;
    server_settings settings_;
    tcp::acceptor acceptor_;
    asio::steady_timer timer_;
    asio::signal_set signals_;
    std::optional<time_point> timer_due_;
    bool is_closing_ = false;
    std::uint64_t last_id_ = 0;
    std::shared_ptr<std::unordered_set<http_connection*>> connections_ =
        std::make_shared<std::unordered_set<http_connection*>>();
    std::unordered_map<engineio::exchange_id, std::shared_ptr<http_connection>> exchanges_; // that await their answer
    std::unordered_map<engineio::channel_id, std::shared_ptr<websocket_channel>> channels_;
    std::string buffer_;
};

// Reads messages one after the other, and writes them so.
class network::websocket_channel final : public std::enable_shared_from_this<network::websocket_channel> {
public:
    websocket_channel(network& owner, stream s) : owner_(owner), websocket_(std::move(s)), id_(++owner.last_id_) {}

    void accept(request r, std::vector<std::string> const& subprotocols) {
        auto timeouts = websocket::stream_base::timeout::suggested(beast::role_type::server);
        timeouts.idle_timeout = websocket::stream_base::none(); // Engine.IO has its own heartbeat
        websocket_.set_option(timeouts);
        websocket_.read_message_max(owner_.settings_.max_payload);
        websocket_.auto_fragment(false);
        if (!subprotocols.empty()) {
            auto add = [chosen = owner_.settings_.choose_subprotocol(subprotocols)](websocket::response_type& answer) {
                if (!chosen.empty()) answer.set(http::field::sec_websocket_protocol, chosen);
            };
            websocket_.set_option(websocket::stream_base::decorator(std::move(add)));
        }
        bool const is_new = owner_.is_handshake(r);
        websocket_.async_accept(
            r, [self = shared_from_this(), target = std::string(r.target()), is_new](error_code ec) {
                if (ec || (is_new && self->owner_.is_closing_)) return;
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
        is_writing_ = true;
        websocket_.binary(message.kind == socketless::frame_kind::binary);
        websocket_.async_write(asio::buffer(written_), [self = shared_from_this()](error_code ec, std::size_t) {
            self->is_writing_ = false;
            if (self->written_.capacity() > kept) self->written_ = {};
            if (ec) return; // reading ends too
            if (self->is_closing_) return self->close();
            self->owner_.io_.resume(self->id_);
            self->owner_.drive();
        });
    }

    // After the write under way, if that ends in time.
    void close() {
        if (!std::exchange(is_closing_, true)) {
            deadline_.emplace(owner_.context_, closing_time);
            deadline_->async_wait([weak = weak_from_this()](error_code ec) {
                if (auto const self = weak.lock(); self && !ec) self->websocket_.next_layer().close();
            });
        }
        if (!is_writing_)
            websocket_.async_close(websocket::close_code::normal, [self = shared_from_this()](error_code) {});
    }

private:
    void read() {
        websocket_.async_read(buffer_, [self = shared_from_this()](error_code ec, std::size_t) { self->take(ec); });
    }

    void take(error_code ec) {
        if (ec) {
            if (owner_.channels_.erase(id_) == 0) return;
            owner_.io_.channel_closed(id_, now());
            return owner_.drive();
        }
        auto const kind = websocket_.got_text() ? socketless::frame_kind::text : socketless::frame_kind::binary;
        auto const bytes = buffer_.cdata();
        owner_.io_.websocket_received(id_, {kind, {static_cast<char const*>(bytes.data()), bytes.size()}}, now());
        owner_.drive();
        buffer_.clear();
        if (buffer_.capacity() > kept) buffer_.shrink_to_fit();
        read();
    }

    // Bytes that are kept for later messages.
    static constexpr std::size_t kept = std::size_t{16} * 1024;

    network& owner_;
    websocket::stream<stream> websocket_;
    engineio::channel_id id_;
    beast::flat_buffer buffer_;
    std::string written_;
    std::optional<asio::steady_timer> deadline_;
    bool is_writing_ = false;
    bool is_closing_ = false;
};

// Reads a request and hands it in, and reads on while the request waits for its answer: so it notices when the client
// goes.
class network::http_connection final : public std::enable_shared_from_this<network::http_connection> {
public:
    http_connection(network& owner, stream s)
        : owner_(owner), all_(owner.connections_), stream_(std::move(s)), deadline_(owner.context_) {
        all_->insert(this);
    }
    http_connection(http_connection const&) = delete;
    http_connection& operator=(http_connection const&) = delete;
    ~http_connection() { all_->erase(this); }

    void start() {
        limit_time(owner_.settings_.request_timeout);
        stream_.async_handshake(asio::ssl::stream_base::server, [self = shared_from_this()](error_code ec) {
            if (!ec) self->read_header();
        });
    }

    void respond(engineio::transmit const& answer) {
        exchange_ = 0;
        write(make_response(static_cast<http::status>(answer.status), name(answer.content), answer.data.data));
    }

    // At once if no answer is under way.
    void close_soon() {
        if (!is_answering_) return stream_.close();
        limit_time(closing_time);
    }

private:
    //=== reading ===//

    void read_header() {
        parser_.emplace(owner_.settings_.limits, owner_.settings_.max_payload);
        read_on();
    }

    // Reads up to the end of the header, or of the body once the header is there. Bytes that have come are used first.
    void read_on() {
        bool const is_in_body = parser_->is_header_done();
        while (buffer_.size() != 0) {
            error_code ec;
            auto const bytes = buffer_.cdata();
            buffer_.consume(parser_->read({static_cast<char const*>(bytes.data()), bytes.size()}, ec));
            if (ec == http::error::need_more) break;
            if (is_in_body && (ec || parser_->is_done())) return take_body(ec);
            if (!is_in_body && (ec || parser_->is_header_done())) return take_header(ec);
        }
        auto const size = std::max(buffer_.capacity() - buffer_.size(), is_in_body ? body_piece : header_piece);
        stream_.async_read_some(buffer_.prepare(std::min(size, max_piece)),
                                [self = shared_from_this()](error_code ec, std::size_t count) {
                                    if (ec) return self->gone();
                                    self->buffer_.commit(count);
                                    self->read_on();
                                });
    }

    void take_header(error_code ec) {
        if (is_answering_) { // it waits for the request before
            waiting_ = ec;
            return;
        }
        if (is_last_) return;
        if (ec) return refuse(ec);
        auto const& head = parser_->get();
        if (websocket::is_upgrade(head)) return upgrade(parser_->release());
        if (head.method() == http::verb::post && owner_.serves(head)) start_exchange();
        if (!beast::iequals(head[http::field::expect], "100-continue")) return read_body();
        response_ = response(http::status::continue_, 11);
        http::async_write(stream_, response_, [self = shared_from_this()](error_code failed, std::size_t) {
            if (failed) return self->gone();
            self->read_body();
        });
    }

    void read_body() {
        if (parser_->is_done()) return take_body({});
        read_on();
    }

    void take_body(error_code ec) {
        if (ec) return refuse(ec);
        take_request(parser_->release());
    }

    // So the server notices two POSTs at once, and a POST that its client gives up half-way.
    void start_exchange() {
        exchange_ = ++owner_.last_id_;
        owner_.io_.http_started(describe(parser_->get()), now());
        owner_.drive();
    }

    void gone() {
        if (exchange_ == 0) return;
        auto const aborted = std::exchange(exchange_, 0);
        owner_.exchanges_.erase(aborted);
        owner_.io_.http_aborted(aborted, now());
        owner_.drive();
    }

    // `r` lives until poll_event has returned nothing.
    void take_request(request r) {
        begin_answer(r);
        if (auto answer = answer_at_once(r)) {
            write(std::move(*answer));
        } else {
            hand_in(r);
        }
        read_header();
    }

    void hand_in(request& r) {
        if (exchange_ == 0) exchange_ = ++owner_.last_id_;
        owner_.exchanges_.emplace(exchange_, shared_from_this());
        owner_.io_.http_received(describe(r), now());
        owner_.drive();
    }

    engineio::http_request describe(request& r) const {
        return {.exchange = exchange_,
                .method = method_of(r),
                .target = r.target(),
                .is_binary = beast::iequals(r[http::field::content_type], name(engineio::content_type::binary)),
                .body = r.body()};
    }

    static engineio::http_method method_of(request const& r) {
        if (r.method() == http::verb::get) return engineio::http_method::get;
        if (r.method() == http::verb::post) return engineio::http_method::post;
        return engineio::http_method::other;
    }

    void upgrade(request r) {
        begin_answer(r);
        auto const subprotocols = offered_subprotocols(r);
        if (auto answer = answer_at_once(r)) {
            write(std::move(*answer));
        } else if (!subprotocols) {
            write(make_response(http::status::bad_request));
        } else if (auto const refusal = owner_.io_.websocket_refusal(r.target())) {
            write(make_response(static_cast<http::status>(refusal->status), name(engineio::content_type::json),
                                refusal->body()));
        } else {
            return std::make_shared<websocket_channel>(owner_, std::move(stream_))->accept(std::move(r), *subprotocols);
        }
        read_header();
    }

    // The answer to requests that are not for the library.
    std::optional<response> answer_at_once(request const& r) const {
        if (!owner_.serves(r))
            return owner_.settings_.page ? owner_.settings_.page(r) : make_response(http::status::not_found);
        if (r.method() == http::verb::options && owner_.settings_.cors.is_on()) return make_preflight_response(r);
        if (owner_.is_closing_ && owner_.is_handshake(r)) return make_response(http::status::service_unavailable);
        return std::nullopt;
    }

    // Refuses an invalid or too large request. Reads the rest and drops it, so that the client gets the answer before
    // the connection ends.
    void refuse(error_code ec) {
        begin_answer(parser_->get());
        is_last_ = true;
        has_unread_body_ = true;
        bool const is_too_large = ec == http::error::body_limit;
        if (is_too_large && exchange_ != 0) { // the server knows of it, and answers it
            auto r = parser_->release();
            r.body().resize(owner_.settings_.max_payload + 1);
            return hand_in(r);
        }
        gone();
        write(make_response(parser_->status_of(ec)));
    }

    void discard() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(std::size_t{64} * 1024),
                                [self = shared_from_this()](error_code ec, std::size_t) {
                                    if (!ec) self->discard();
                                });
    }

    //=== answering ===//

    template <class Request>
    void begin_answer(Request const& r) {
        deadline_.cancel(); // long-polling takes its time
        is_answering_ = true;
        is_last_ = !r.keep_alive();
        is_head_ = r.method() == http::verb::head;
        allowed_origin_ = owner_.settings_.cors.allowed(r[http::field::origin]);
    }

    static response make_response(http::status status, std::string_view content = {}, std::string_view body = {}) {
        response r(status, 11);
        if (!content.empty()) r.set(http::field::content_type, content);
        r.set(http::field::cache_control, engineio::cache_control);
        r.body() = body;
        return r;
    }

    response make_preflight_response(request const& r) const {
        auto preflight = make_response(http::status::no_content);
        owner_.settings_.cors.add_preflight_to(preflight, allowed_origin_,
                                               r[http::field::access_control_request_headers]);
        return preflight;
    }

    void write(response r) {
        if (owner_.is_closing_) is_last_ = true;
        r.keep_alive(!is_last_);
        owner_.settings_.cors.add_to(r, allowed_origin_);
        r.prepare_payload();
        if (is_head_) r.body().clear();
        response_ = std::move(r);
        limit_time(owner_.settings_.request_timeout);
        http::async_write(stream_, response_,
                          [self = shared_from_this()](error_code ec, std::size_t) { self->written(ec); });
    }

    void written(error_code ec) {
        is_answering_ = false;
        if (ec) return stream_.close();
        limit_time(is_last_ ? closing_time : owner_.settings_.request_timeout);
        if (is_last_) {
            error_code ignored;
            stream_.next_layer().shutdown(tcp::socket::shutdown_send, ignored);
            if (has_unread_body_) discard();
        } else if (auto const next = std::exchange(waiting_, std::nullopt)) {
            take_header(*next);
        }
    }

    //=== the end ===//

    // The deadline of what is under way with the client, but for long-polling.
    void limit_time(std::chrono::seconds time) {
        deadline_.expires_after(time);
        deadline_.async_wait([weak = weak_from_this()](error_code ec) {
            auto const self = weak.lock();
            if (self && !ec && self->deadline_.expiry() <= now()) self->stream_.close();
        });
    }

    // Bytes that are read at a time.
    static constexpr std::size_t header_piece = 512;
    static constexpr std::size_t body_piece = std::size_t{8} * 1024;
    static constexpr std::size_t max_piece = std::size_t{64} * 1024;

    network& owner_;
    std::shared_ptr<std::unordered_set<http_connection*>> all_; // connections may outlive the network
    stream stream_;
    asio::steady_timer deadline_;
    beast::flat_buffer buffer_;
    std::optional<request_parser> parser_;
    response response_;
    engineio::exchange_id exchange_ = 0;
    std::optional<std::string> allowed_origin_;
    std::optional<error_code> waiting_; // the next request has come, with what was wrong with it
    bool is_answering_ = false;
    bool is_last_ = false;
    bool is_head_ = false;
    bool has_unread_body_ = false;
};

void network::perform(engineio::transmit const& t) {
    switch (t.type) {
    case engineio::transmit_type::respond:
        if (auto const found = exchanges_.extract(t.id)) found.mapped()->respond(t);
        return;
    case engineio::transmit_type::send:
        if (auto const found = channels_.find(t.id); found != channels_.end()) found->second->send(t.data);
        return;
    case engineio::transmit_type::close:
        if (auto const found = channels_.extract(t.id)) found.mapped()->close();
        return;
    default: return; // a client's
    }
}

void network::accept() {
    acceptor_.async_accept([this](error_code ec, tcp::socket socket) {
        if (!acceptor_.is_open()) return;
        if (ec) return accept_later(); // as when there are too many files
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<http_connection>(*this, stream(std::move(socket), settings_.tls))->start();
        accept();
    });
}

// Nothing is left to wait for: the context runs dry.
void network::end() {
    acceptor_.close();
    signals_.cancel();
    timer_.cancel();
    auto const connections = *connections_; // those that are closed go
    for (http_connection* const c : connections) c->close_soon();
}

} // namespace

std::unique_ptr<server_network> make_network(asio::io_context& context, server_protocol& io, server_settings settings) {
    return std::make_unique<network>(context, io, std::move(settings));
}

} // namespace beast_driver
