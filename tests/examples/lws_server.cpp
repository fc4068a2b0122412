// tests/examples/lws_server.cpp: the chat of lobby.hpp on libwebsockets, for clients with
// { transports: ["websocket"] }.
#include "examples/lobby.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/server.hpp>
#include <socketless/text/percent.hpp>

#include <libwebsockets.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <string>

using namespace socketless;
constexpr auto now = std::chrono::steady_clock::now;

struct connection {
    std::string incoming = {}; // a message, as far as it has come
    std::string outgoing = {}; // a message, behind LWS_PRE bytes that libwebsockets wants to have there
    lws_write_protocol kind = LWS_WRITE_TEXT;
    bool is_closing = false;
};

struct program : lws_sorted_usec_list_t { // which is a timer
    lws_context* context = nullptr;
    server io{{.engine = {.transports = {engineio::transport::websocket}}}, system_random(), now()};
    lobby application{io};
    std::string buffer = {};
    std::map<engineio::channel_id, connection> connections = {}; // the id is the address of the lws

    // Runs after each input.
    void drive() {
        for (;;) {
            while (auto e = io.poll_event()) application.handle(*e);
            auto const t = io.poll_transmit(buffer);
            if (!t) break;
            if (auto const c = connections.find(t->id); c != connections.end()) perform(*t, c->second);
        }
        auto const left = io.poll_timeout().value_or(now() + std::chrono::hours(1)) - now();
        auto const wait = std::max<lws_usec_t>(std::chrono::ceil<std::chrono::microseconds>(left).count(), 1);
        lws_sul_schedule(context, 0, this, wake, wait);
    }
    static void wake(lws_sorted_usec_list_t* timer) { static_cast<program*>(timer)->pass_time(); }
    void pass_time() { io.handle_timeout(now()), drive(); }
    // libwebsockets says when there is room to write.
    void perform(engineio::transmit const& t, connection& c) {
        lws_callback_on_writable(reinterpret_cast<lws*>(t.id));
        if (t.type == engineio::transmit_type::close) c.is_closing = true;
        if (t.type != engineio::transmit_type::send) return;
        io.pause(t.id); // until the message is written
        c.outgoing.assign(LWS_PRE, '\0') += t.data.data;
        c.kind = t.data.kind == frame_kind::text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
    }
    // What the client has requested. libwebsockets has cut the query and decoded its parts.
    static std::string target(lws* wsi) {
        char part[4'096] = {};
        lws_hdr_copy(wsi, part, sizeof part, WSI_TOKEN_GET_URI);
        std::string made = part;
        for (int i = 0; lws_hdr_copy_fragment(wsi, part, sizeof part, WSI_TOKEN_HTTP_URI_ARGS, i) >= 0; ++i) {
            std::string pair = i == 0 ? "?" : "&";
            percent::encode(pair, part).ignore();
            if (auto const at = pair.find("%3D"); at != pair.npos) pair.replace(at, 3, 1, '=');
            made += pair;
        }
        return made;
    }
    // libwebsockets calls it for all that happens. Where it returns -1, the connection ends.
    static int call(lws* wsi, lws_callback_reasons reason, void* user, void* in, size_t size) {
        auto& p = *static_cast<program*>(lws_context_user(lws_get_context(wsi)));
        auto const id = reinterpret_cast<engineio::channel_id>(wsi);
        switch (reason) {
        case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return p.io.websocket_refusal(target(wsi)) ? -1 : 0;
        case LWS_CALLBACK_ESTABLISHED:
            p.connections[id] = {};
            return p.io.websocket_opened(id, target(wsi), now()), p.drive(), 0; // the target lives until then
        case LWS_CALLBACK_RECEIVE: return p.read(wsi, id, p.connections[id].incoming, {static_cast<char*>(in), size});
        case LWS_CALLBACK_SERVER_WRITEABLE: return p.write(wsi, id, p.connections[id]);
        case LWS_CALLBACK_CLOSED: return p.connections.erase(id), p.io.channel_closed(id, now()), p.drive(), 0;
        default: return lws_callback_http_dummy(wsi, reason, user, in, size); // 404 for other requests
        }
    }
    int read(lws* wsi, engineio::channel_id id, std::string& message, std::string_view part) {
        if ((message += part).size() > io.options().engine.max_payload) return -1;
        if (lws_is_final_fragment(wsi) == 0) return 0;
        auto const kind = lws_frame_is_binary(wsi) != 0 ? frame_kind::binary : frame_kind::text;
        io.websocket_received(id, {kind, message}, now());
        return drive(), message.clear(), 0; // all its events are out
    }
    int write(lws* wsi, engineio::channel_id id, connection& c) {
        if (c.outgoing.empty()) return c.is_closing ? -1 : (io.resume(id), drive(), 0);
        auto* const bytes = reinterpret_cast<unsigned char*>(c.outgoing.data()) + LWS_PRE;
        if (lws_write(wsi, bytes, c.outgoing.size() - LWS_PRE, c.kind) < 0) return -1;
        c.outgoing.clear();
        return lws_callback_on_writable(wsi), 0; // again, once the system has taken all of it
    }
};

int main(int argc, char** argv) {
    program p{}; // the timer has to begin as zeros
    lws_protocols const protocols[] = {{"", program::call, 0, 0, 0, nullptr, 0}, {}};
    lws_context_creation_info info = {};
    info.port = argc > 1 ? std::stoi(argv[1]) : 3000;
    info.protocols = protocols;
    info.user = &p;
    if (p.context = lws_create_context(&info); p.context == nullptr) return 1;
    std::cout << "listening on " << lws_get_vhost_listen_port(lws_get_vhost_by_name(p.context, "default")) << std::endl;
    while (lws_service(p.context, 0) >= 0) continue;
}
