// The loops of a server and of a client, for any network and application: copy them.
#pragma once

#include <socketless/socketless.hpp>

#include <string>

namespace demo {

using namespace socketless;

// Runs after each input to the server: `application` handles events, `network` does the I/O.
template <class Network, class Application>
void drive(server& server, Network& network, Application& application, std::string& buffer) {
    for (;;) {
        if (auto e = server.poll_event()) {
            application.handle(*e);
        } else if (auto const t = server.poll_transmit(buffer)) {
            switch (t->type) {
            case engineio::transmit_type::respond:
                // with Cache-Control: engineio::cache_control
                network.respond(t->id, t->status, name(t->content), t->data.data);
                break;
            case engineio::transmit_type::send: network.send(t->id, t->data); break;
            case engineio::transmit_type::close: network.close(t->id); break;
            default: break; // the others are a client's
            }
        } else {
            return network.wake_at(server.poll_timeout());
        }
    }
}

// The same for a client.
template <class Network, class Application>
void drive(client& client, Network& network, Application& application, std::string& buffer) {
    for (;;) {
        if (auto e = client.poll_event()) {
            application.handle(*e);
        } else if (auto const t = client.poll_transmit(buffer)) {
            switch (t->type) {
            case engineio::transmit_type::get: network.get(t->id, t->target); break;
            case engineio::transmit_type::post: network.post(t->id, t->target, name(t->content), t->data.data); break;
            case engineio::transmit_type::open_websocket: network.open_websocket(t->id, t->target); break;
            case engineio::transmit_type::send: network.send(t->id, t->data); break;
            case engineio::transmit_type::close: network.close(t->id); break;
            case engineio::transmit_type::abort: network.abort(t->id); break;
            default: break; // a server's, or of streams, which this client does not use
            }
        } else {
            return network.wake_at(client.poll_timeout());
        }
    }
}

} // namespace demo
