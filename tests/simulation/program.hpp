// The program of a schedule, the same for all networks: clients begin, applications act at times that are drawn, the
// program waits until everything has happened that must, closes all and checks.
#pragma once

#include "simulation/network_plan.hpp"
#include "simulation/simulation.hpp"

#include <cstddef>
#include <string>

namespace support {

// A network fills in these functions.
class program {
public:
    // The parts of the plan that only this network has.
    [[nodiscard]] virtual std::string about() const { return {}; }
    [[nodiscard]] virtual std::size_t actions() const = 0;
    // How often the end waits for events that must happen.
    [[nodiscard]] virtual std::size_t patience() const = 0;

    virtual void begin(std::size_t client) = 0;
    // One act of an application, drawn.
    virtual void act() = 0;
    // Plans other events of the schedule.
    virtual void plan_more() {}

    // Begins the end: nobody begins anything any more. Called before each wait.
    virtual void stop() = 0;
    [[nodiscard]] virtual bool is_settled() = 0;
    virtual void note_unsettled() {}
    virtual void close(std::size_t client) = 0;
    virtual void close_server() = 0;
    virtual void check_end() = 0;

protected:
    ~program() = default;
};

template <class Wires>
class program_run {
public:
    program_run(simulation& sim, Wires& wires, program& p) : sim_(sim), wires_(wires), program_(p) {}

    // Runs the schedule to its end. Returns the first error; empty if all was well.
    std::string run() {
        ++sim_.figures.schedules;
        note_plan();
        for (std::size_t i = 0; i != wires_.clients.size(); ++i)
            sim_.after(microseconds(sim_.random.below(20'000)), [this, i] { program_.begin(i); });
        auto const duration = static_cast<std::size_t>(sim_.plan.duration.count());
        for (std::size_t i = 0; i != program_.actions(); ++i)
            sim_.after(microseconds(sim_.random.below(duration)), [this] { program_.act(); });
        if (sim_.chance(fault::client_frozen) || sim_.chance(fault::server_frozen)) wires_.plan_freeze();
        program_.plan_more();
        sim_.after(sim_.plan.duration, [this] { quiesce(program_.patience()); });
        sim_.run_agenda();
        if (sim_.ledger.error().empty()) program_.check_end();
        sim_.note("end: ", sim_.ledger.error());
        return sim_.ledger.error();
    }

private:
    void note_plan() {
        auto const& plan = sim_.plan;
        sim_.note("plan: ",
                  plan.calm    ? "calm"
                  : plan.tight ? "tight"
                               : "rough",
                  ", ping ", plan.server.ping_interval.count(), "+", plan.server.ping_timeout.count(), " ms, latency ",
                  plan.latency.count(), " us, max_payload ", plan.server.max_payload, ", max_queued ",
                  plan.server.max_queued, program_.about());
    }

    // Waits until everything has happened that must, then ends all.
    void quiesce(std::size_t patience) {
        program_.stop();
        if (program_.is_settled()) return end();
        if (patience == 0) {
            program_.note_unsettled();
            return sim_.ledger.fail("something that must happen does not happen");
        }
        sim_.after(sim_.plan.latency + milliseconds(5), [this, patience] { quiesce(patience - 1); });
    }

    void end() {
        for (std::size_t i = 0; i != wires_.clients.size(); ++i) {
            if (sim_.random.one_in(3)) continue;
            sim_.after(sim_.latency(), [this, i] { program_.close(i); });
        }
        program_.close_server();
        // Clients may still connect again, have opened unnoticed, or fail to open.
        for (auto const delay : {milliseconds(1'000), milliseconds(50'000)})
            sim_.after(delay, [this] {
                for (std::size_t i = 0; i != wires_.clients.size(); ++i) program_.close(i);
            });
        sim_.after(milliseconds(100'000), [this] { program_.check_end(); });
    }

    simulation& sim_;
    Wires& wires_;
    program& program_;
};

} // namespace support
