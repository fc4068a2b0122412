// A Socket.IO server that does what tests ask of it:
//
//     message args...           answered by the event message-back with the same arguments
//     message-with-ack args...  acknowledged with them, as is any event that is not listed here and asks for it
//     join room, leave room
//     say room args...          the event said, with args, for the others in the room
//     shout args...             the event shouted, with args, for all
//     ask args...               the event question to the sender, which acknowledges it; then the event
//                               answered, with that answer
//     kick                      disconnects the socket
//
// and with --redis what cluster_commands.hpp lists, in the namespaces "/" and "/custom", which tell who joins its auth
// (event auth), and "/guarded", whose auth is {"token":"123"}.
#include "cluster_commands.hpp"
#include "parser_option.hpp"
#include "redis_cluster.hpp"
#include "server_program.hpp"

#include <socketless/core/system_random.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/wire/server.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace socketless;
using socketio::event_type;
using socketio::spread;

namespace {

class test_application {
public:
    // `node` is null without --redis.
    test_application(server& io, cluster::redis_node* node) : io_(io), node_(node) {
        for (auto const* const nsp : {"/", "/custom", "/guarded"}) {
            io_.declare(nsp, admission::ask);
            if (node_ != nullptr) node_->declare(nsp);
        }
        if (node_ != nullptr) commands_.emplace(io_, *node_);
    }

    void handle(socketio::event& e) {
        if (node_ != nullptr && node_->handle(e)) return;
        switch (e.type) {
        case event_type::connecting: return admit(e);
        case event_type::connected: return greet(e);
        case event_type::event: return take(e);
        case event_type::ack: return take_answer(e);
        default: return;
        }
    }
    void handle(cluster::event& e) { commands_->handle(e); }

private:
    void admit(socketio::event const& e) {
        auto auth = std::make_shared<std::string>(auth_of(e));
        auto const token = json::text::trusted(*auth).find("token");
        if (e.nsp == "/guarded" && !(token && token->equals("123"))) {
            io_.refuse(e.socket, "not authorized", json::object("code", 401)).ignore();
            return;
        }
        if (!e.recovered) io_.set_data(e.socket, std::move(auth)); // otherwise it has its own again
        io_.accept(e.socket).ignore();
    }

    // The auth with which the client asked to join, as a JSON object. Clients of revision 4 have a query instead.
    static std::string auth_of(socketio::event const& e) {
        if (!e.data.empty()) return std::string(e.data.raw());
        std::map<std::string, std::string> parameters;
        for (auto const [name, value] : engineio::query_view(e.query))
            parameters.emplace(decoded(name), decoded(value));
        std::string auth;
        return json::write(auth, parameters) ? auth : "{}"; // invalid UTF-8 counts as no auth
    }
    static std::string decoded(std::string_view text) {
        std::string buffer(text.size(), '\0');
        auto const plain = percent::decode(text, buffer);
        return std::string(plain ? *plain : text);
    }

    void greet(socketio::event const& e) {
        auto const* const auth = io_.data<std::string>(e.socket);
        io_.emit(e.socket, "auth", json::text::trusted(*auth)).ignore();
    }

    void take(socketio::event& e) {
        auto const args = e.args();
        if (e.name() == "message") {
            io_.emit(e.socket, "message-back", spread(args)).ignore();
        } else if (e.name() == "join") {
            if (auto const room = e.get<std::string>()) io_.join(e.socket, *room);
        } else if (e.name() == "leave") {
            if (auto const room = e.get<std::string>()) io_.leave(e.socket, *room);
        } else if (e.name() == "say") {
            say(e);
        } else if (e.name() == "shout") {
            to_all(e.nsp, [&](auto all) { all.emit("shouted", spread(args)).ignore(); });
        } else if (e.name() == "ask") {
            if (auto const id = io_.emit_with_ack(e.socket, std::nullopt, "question", spread(args)))
                askers_.emplace(*id, e.socket);
        } else if (e.name() == "kick") {
            return io_.disconnect(e.socket);
        } else if (commands_) {
            commands_->take(e);
        }
        if (e.ack) io_.acknowledge(e.ack, spread(args)).ignore();
    }

    void say(socketio::event const& e) {
        std::vector<socketio::argument> rest;
        for (auto const argument : e.args()) rest.push_back(argument);
        if (rest.empty()) return;
        auto const room = rest.front().get<std::string>();
        if (!room) return;
        rest.erase(rest.begin());
        to_all(e.nsp, [&](auto all) { all.to(*room).except(e.socket).emit("said", spread(rest)).ignore(); });
    }

    // The audience is that of all servers, or of this one.
    template <class Emit>
    void to_all(std::string_view nsp, Emit emit) {
        node_ != nullptr ? emit(node_->in(nsp)) : emit(io_.in(nsp));
    }

    void take_answer(socketio::event const& e) {
        auto const asked = askers_.extract(e.id);
        if (e.outcome == socketio::ack_outcome::answered)
            io_.emit(asked.mapped(), "answered", spread(e.args())).ignore();
    }

    server& io_;
    cluster::redis_node* node_;
    std::optional<cluster_test::commands> commands_;
    std::unordered_map<std::uint64_t, socketio::socket_handle> askers_;
};

} // namespace

int main(int argc, char** argv) {
    server_arguments arguments{.path = "/socket.io/"};
    std::string const usage =
        "socketio_server [option]..." + arguments.usage() + std::string(cluster_arguments::usage) + R"(
  --connect-timeout MS              for a client to join a namespace
  --parser P                        msgpack, or default: how packets are sent; clients must use the same
  --recovery                        keeps the state of connections that are lost for two minutes)";
    cluster_arguments cluster;
    server_options options;
    command_line line(usage);
    arguments.declare(line);
    cluster.declare(line);
    line.option("--connect-timeout", options.sockets.connect_timeout);
    declare_parser(line, options.sockets.parser);
    line.flag("--recovery", [&options] { options.recovery.emplace(); });
    line.parse_options(argc, argv);
    options.engine = arguments.engine;
    options.path = arguments.path;

    wire::server<> io(std::move(options), arguments.wire(), system_random(), std::chrono::steady_clock::now());
    cluster.node.write_data = [&io](socketio::socket_handle socket, json::writer& out) {
        out.raw(json::text::trusted(*io.protocol().data<std::string>(socket)));
    };
    cluster.node.read_data = [](socketio::argument const& written) {
        return std::make_shared<std::string>(written.json().raw());
    };
    redis_cluster redis(cluster, io.protocol());
    test_application application(io.protocol(), redis.node());
    return serve(io, application, arguments, {}, redis.link(application));
}
