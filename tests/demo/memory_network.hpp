// A network in memory, and its time: messages arrive a little later, by a clock that is only a number.
#pragma once

#include "demo/capture.hpp"
#include "demo/drive.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

using namespace socketless;

// Joins a server and clients, each at its end. Exchanges and channels, here wires, have numbers: the server knows them
// by these, a client by names of its own.
class memory_network {
public:
    static constexpr milliseconds latency{10};

    // Called for everything that is sent, when it is sent; and for each loss on a broken wire, when it should have
    // arrived.
    std::function<void(happening)> on_happening = [](happening const&) {};
    std::function<void(std::string const& client)> on_lost = [](std::string const&) {};

    [[nodiscard]] time_point now() const noexcept { return now_; }
    // Since the beginning.
    [[nodiscard]] milliseconds elapsed() const { return std::chrono::duration_cast<milliseconds>(now_ - begin); }

    // Lets time pass, from one arrival or timer to the next.
    void pass(milliseconds how_long) {
        auto const until = now_ + how_long;
        drive_all();
        for (auto next = next_time(); next <= until; next = next_time()) {
            now_ = next;
            if (arrivals_.empty() || arrivals_.begin()->first > now_) {
                tell_time();
                continue;
            }
            auto const arrival = arrivals_.extract(arrivals_.begin());
            arrival.mapped()();
            drive_all(); // the bytes that arrived live until the sides have run dry
        }
        now_ = until;
        tell_time();
    }

    // The end of the network at which a session sits: drives it after each input and when its timer is due.
    class end {
    public:
        template <class Session, class End, class Application>
        end(memory_network& network, Session& session, End& self, Application& application)
            : network_(network), drive_([&, this] { demo::drive(session, self, application, buffer_); }),
              handle_timeout_([&] { session.handle_timeout(network.now_); }) {
            network.ends_.push_back(this);
        }
        end(end const&) = delete; // the network refers to it
        end& operator=(end const&) = delete;

        void wake_at(std::optional<time_point> when) { deadline_ = when; }

    protected:
        friend class memory_network;

        memory_network& network_;
        std::function<void()> drive_;
        std::function<void()> handle_timeout_;
        std::optional<time_point> deadline_;
        std::string buffer_;
    };

    class client_end;

    class server_end : public end {
    public:
        template <class Application>
        server_end(memory_network& network, server& server, Application& application)
            : end(network, server, *this, application) {
            network.server_ = &server;
        }

        void respond(engineio::exchange_id number, int status, std::string_view content_type, std::string_view body) {
            bool const is_binary = content_type == name(engineio::content_type::binary);
            happening h{.kind = happening_kind::http_response};
            h.status = static_cast<std::uint64_t>(status);
            h.content_type = content_type;
            h.body = content{is_binary ? frame_kind::binary : frame_kind::text, std::string(body)};
            network_.transfer(number, side::server, h, [=, &n = network_, b = std::string(body)](wire w) mutable {
                n.wires_.erase(number);
                w.at->client_.http_response(w.name, status, is_binary, b, n.now_);
            });
        }
        void send(engineio::channel_id number, frame message) {
            network_.transfer_message(number, side::server, message, [&n = network_](wire w, frame m) {
                w.at->client_.websocket_received(w.name, m, n.now_);
            });
        }
        void close(engineio::channel_id number) {
            network_.transfer(number, side::server, {.kind = happening_kind::websocket_close},
                              [number, &n = network_](wire w) {
                                  n.wires_.erase(number);
                                  w.at->client_.channel_closed(w.name, n.now_);
                              });
        }
    };

    class client_end : public end {
    public:
        template <class Application>
        client_end(memory_network& network, std::string name, client& client, Application& application)
            : end(network, client, *this, application), name_(std::move(name)), client_(client) {}

        void get(engineio::exchange_id name, std::string_view target) {
            request(name, engineio::http_method::get, target, {}, {});
        }
        void post(engineio::exchange_id name, std::string_view target, std::string_view content_type,
                  std::string_view body) {
            request(name, engineio::http_method::post, target, content_type, body);
        }
        void open_websocket(engineio::channel_id name, std::string_view target) {
            auto const number = network_.add({this, name, false});
            happening h{.kind = happening_kind::websocket_open};
            h.target = target;
            network_.transfer(number, side::client, h, [=, &n = network_, t = std::string(target)](wire w) {
                if (n.server_->websocket_refusal(t)) return n.refuse(number);
                n.server_->websocket_opened(number, t, n.now_);
                n.after(latency, [w, &n] { w.at->client_.channel_opened(w.name, n.now_); });
            });
        }
        void send(engineio::channel_id name, frame message) {
            auto const number = network_.number_of({this, name, false});
            network_.transfer_message(number, side::client, message, [number, &n = network_](wire, frame m) {
                n.server_->websocket_received(number, m, n.now_);
            });
        }
        void close(engineio::channel_id name) {
            auto const number = network_.number_of({this, name, false});
            network_.transfer(number, side::client, {.kind = happening_kind::websocket_close},
                              [number, &n = network_](wire) {
                                  n.wires_.erase(number);
                                  n.server_->channel_closed(number, n.now_);
                              });
        }
        void abort(engineio::exchange_id name) {
            auto const number = network_.number_of({this, name, true});
            network_.transfer(number, side::client, {.kind = happening_kind::http_aborted},
                              [number, &n = network_](wire) {
                                  n.wires_.erase(number);
                                  n.server_->http_aborted(number, n.now_);
                              });
        }

        // The connection breaks. The client learns it at once, the server later: all that is sent until then is lost.
        void cut(milliseconds unnoticed) {
            for (auto& entry : network_.wires_) {
                auto const number = entry.first;
                wire& w = entry.second;
                if (w.at != this || std::exchange(w.is_cut, true)) continue;
                network_.after(unnoticed, [number, &n = network_] { n.tell_server_of_loss(number); });
                if (w.is_http)
                    client_.http_failed(w.name, network_.now_);
                else
                    client_.channel_closed(w.name, network_.now_);
                drive_();
            }
        }

    private:
        friend class memory_network;
        friend class server_end;

        void request(engineio::exchange_id name, engineio::http_method method, std::string_view target,
                     std::string_view content_type, std::string_view body) {
            bool const is_binary = content_type == engineio::name(engineio::content_type::binary);
            auto const number = network_.add({this, name, true});
            happening h{.kind = happening_kind::http_request};
            h.method = method == engineio::http_method::get ? "GET" : "POST";
            h.target = target;
            h.content_type = content_type;
            if (!body.empty()) h.body = content{is_binary ? frame_kind::binary : frame_kind::text, std::string(body)};
            network_.transfer(number, side::client, h,
                              [=, &n = network_, t = std::string(target), b = std::string(body)](wire) mutable {
                                  n.server_->http_received({number, method, t, is_binary, b}, n.now_);
                              });
        }

        std::string name_;
        client& client_;
    };

private:
    // An exchange or a channel.
    struct wire {
        client_end* at;
        std::uint64_t name;
        bool is_http;
        bool is_cut = false;
    };

    using on_arrival = std::function<void(wire)>;

    //=== time ===//

    void drive_all() {
        for (end* const e : ends_) e->drive_();
    }
    void tell_time() {
        for (end* const e : ends_) e->handle_timeout_();
        drive_all();
    }
    void after(milliseconds delay, std::function<void()> what) { arrivals_.emplace(now_ + delay, std::move(what)); }

    // When something arrives or somebody wants to be woken.
    [[nodiscard]] time_point next_time() const {
        auto next = arrivals_.empty() ? time_point::max() : arrivals_.begin()->first;
        for (end const* const e : ends_) next = std::min(next, e->deadline_.value_or(next));
        return std::max(next, now_);
    }

    //=== wires ===//

    [[nodiscard]] std::uint64_t add(wire w) { return wires_.emplace(++last_number_, w), last_number_; }

    // The wire that a client calls by this name; 0 if it is cut or gone.
    [[nodiscard]] std::uint64_t number_of(wire const& wanted) const {
        for (auto const& [number, w] : wires_)
            if (w.at == wanted.at && w.name == wanted.name && w.is_http == wanted.is_http && !w.is_cut) return number;
        return 0;
    }

    // Sends something: reports it now, and delivers it later unless the wire has been cut or is gone by then.
    void transfer(std::uint64_t number, side from, happening h, on_arrival arrive) {
        auto const sent_on = wires_.find(number);
        if (sent_on == wires_.end()) return;
        h.time = static_cast<std::uint64_t>(elapsed().count());
        h.from = from;
        h.client = sent_on->second.at->name_;
        h.number = number;
        on_happening(std::move(h));
        after(latency, [this, number, arrive = std::move(arrive)] {
            auto const found = wires_.find(number);
            if (found == wires_.end()) return;
            if (found->second.is_cut) return on_lost(found->second.at->name_);
            arrive(found->second);
        });
    }

    // The same for a message of a WebSocket.
    void transfer_message(std::uint64_t number, side from, frame message, std::function<void(wire, frame)> arrive) {
        content const c{message.kind, std::string(message.data)};
        happening h{.kind = happening_kind::websocket_message};
        h.body = c;
        transfer(number, from, h, [c, arrive = std::move(arrive)](wire w) { arrive(w, {c.kind, c.bytes}); });
    }

    void refuse(std::uint64_t number) {
        transfer(number, side::server, {.kind = happening_kind::websocket_refused}, [this, number](wire w) {
            wires_.erase(number);
            w.at->client_.channel_closed(w.name, now_);
        });
    }

    void tell_server_of_loss(std::uint64_t number) {
        auto const lost = wires_.find(number);
        if (lost == wires_.end()) return;
        bool const is_http = lost->second.is_http;
        wires_.erase(lost);
        if (is_http)
            server_->http_aborted(number, now_);
        else
            server_->channel_closed(number, now_);
    }

    static constexpr time_point begin{std::chrono::hours(1)};

    time_point now_ = begin;
    std::multimap<time_point, std::function<void()>> arrivals_;
    std::vector<end*> ends_;
    std::map<std::uint64_t, wire> wires_; // by number
    std::uint64_t last_number_ = 0;
    server* server_ = nullptr;
};

} // namespace demo
