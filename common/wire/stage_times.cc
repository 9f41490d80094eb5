#include "wire/stage_times.h"

namespace sluice::wire {

v1::StageTimes ToProto(const StageTimes& times) {
  v1::StageTimes out;
  out.set_connect(times.of(TimedStep::kConnect).count());
  out.set_greeting(times.of(TimedStep::kGreeting).count());
  out.set_tls(times.of(TimedStep::kTls).count());
  out.set_mail(times.of(TimedStep::kMail).count());
  out.set_rcpt(times.of(TimedStep::kRcpt).count());
  out.set_data(times.of(TimedStep::kData).count());
  out.set_body(times.of(TimedStep::kBody).count());
  return out;
}

StageTimes FromProto(const v1::StageTimes& times) {
  StageTimes out;
  out.Add(TimedStep::kConnect, Duration(times.connect()));
  out.Add(TimedStep::kGreeting, Duration(times.greeting()));
  out.Add(TimedStep::kTls, Duration(times.tls()));
  out.Add(TimedStep::kMail, Duration(times.mail()));
  out.Add(TimedStep::kRcpt, Duration(times.rcpt()));
  out.Add(TimedStep::kData, Duration(times.data()));
  out.Add(TimedStep::kBody, Duration(times.body()));
  return out;
}

}  // namespace sluice::wire
