// SPDX-License-Identifier: GPL-2.0-only
/*
 * A GPIO chip with the lines of a Raspberry Pi, two channels of PWM, and contacts
 * between lines.
 *
 * The kernel's gpio-sim takes a line's level from a pull that the outside sets. A
 * request with a pull overwrites it, so that a key that is held looks released to
 * the next program that asks. This chip models an output, a pull-up or pull-down
 * inside the chip, contacts to other lines (the keys of a matrix), and a driver
 * outside the chip. Lines that contacts join have one level: the level of an
 * output; else of an outside driver; else of a pull, where up is stronger than
 * down; else the level that they had.
 *
 * The outer end is /dev/contacts. One program at a time can open it. It reads
 * every change of every line as struct change, in order, and first the state of
 * all lines. EOVERFLOW means that it read too slowly and that changes are lost. The
 * module wakes a reader some ms after a change, for many changes at once, because
 * the lines of a display change a thousand times for each picture.
 * The channels of PWM have the line numbers after the GPIO lines. They are high
 * while they are enabled with a duty cycle above zero.
 *
 * The program writes one command at a time:
 *
 *	press A B	closes a contact between two lines
 *	release A B	opens it
 *	drive A 0|1	drives a line from outside, as a switch or a short does
 *	leave A		stops driving it
 *
 * A contact that closes or opens bounces. The command returns when it is still.
 *
 * The initial pulls are those of BCM2835 ARM Peripherals, table 6-31. A line that
 * is released becomes an input, as with the kernel's pinctrl-bcm2835, and keeps its
 * pull.
 */

#include <linux/fs.h>
#include <linux/gpio/driver.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kfifo.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/poll.h>
#include <linux/pwm.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define LINES	54
#define ALL	GENMASK_ULL(LINES - 1, 0)
#define TONES	2 /* channels of PWM */
#define CHANGES	65536 /* that wait to be read */
#define WAKE_DELAY (5 * NSEC_PER_MSEC) /* before a reader is woken */
#define BOUNCES	4 /* of a contact that moves; an even number */
#define BOUNCE	(700 * NSEC_PER_USEC) /* from one to the next */

/* What the outer end reads, in the machine's byte order. */
struct change {
	__u64 time; /* CLOCK_MONOTONIC, ns */
	__u8 line;
	__u8 level;
	__u8 output; /* 1 while the line is an output */
	__u8 conflict; /* 1 when joined outputs have different levels */
	__u32 period; /* of a channel of PWM, ns */
};

/* Sets of lines are bits of a number. */
static DEFINE_RAW_SPINLOCK(lock);
static u64 output, high; /* lines that are outputs, and their level */
static u64 pull_up, pull_down; /* pulls of the chip */
static u64 outside, outside_high; /* lines that are driven from outside, and their level */
static u64 joined[LINES]; /* to which lines closed contacts join a line */
static u64 level;
static u64 rising, falling, unmasked; /* which edges cause interrupts */

static DECLARE_KFIFO_PTR(changes, struct change);
static DECLARE_WAIT_QUEUE_HEAD(readers);
static struct hrtimer waker;
static DEFINE_MUTEX(reading);
static bool watched, overflow;

static struct irq_domain *domain;

/* With lock held. */
static void queue_change(struct change c)
{
	if (watched && !kfifo_put(&changes, c))
		overflow = true;
}

/* With lock held. */
static void record_change(unsigned int line, u64 conflict)
{
	struct change c = {
		.time = ktime_get_ns(),
		.line = line,
		.level = !!(level & BIT_ULL(line)),
		.output = !!(output & BIT_ULL(line)),
		.conflict = !!(conflict & BIT_ULL(line)),
	};

	queue_change(c);
}

static enum hrtimer_restart wake(struct hrtimer *timer)
{
	wake_up_interruptible(&readers);
	return HRTIMER_NORESTART;
}

static void wake_soon(void)
{
	if (!hrtimer_active(&waker))
		hrtimer_start(&waker, ns_to_ktime(WAKE_DELAY), HRTIMER_MODE_REL);
}

/* Returns all lines that contacts join to a line. With lock held. */
static u64 net_of(unsigned int line)
{
	u64 net = BIT_ULL(line), todo = net;

	while (todo) {
		unsigned int next = __ffs64(todo);

		todo &= ~BIT_ULL(next);
		todo |= joined[next] & ~net;
		net |= joined[next];
	}
	return net;
}

/*
 * Computes the levels, records the changes, and causes interrupts. The direction
 * of the lines in changed has changed. Called with lock held; releases it.
 */
static void settle(u64 changed, unsigned long flags)
{
	u64 before = level, left = ALL, conflict = 0, edges;
	unsigned int line;

	while (left) {
		u64 net = net_of(__ffs64(left)), out = net & output;
		bool to;

		left &= ~net;
		if (out) {
			to = out & high;
			if (to && (out & ~high))
				conflict |= net;
		} else if (net & outside) {
			to = net & outside & outside_high;
		} else if (net & pull_up) {
			to = true;
		} else if (net & pull_down) {
			to = false;
		} else {
			to = net & level;
		}
		level = to ? level | net : level & ~net;
	}
	changed |= level ^ before;
	for (edges = changed; edges; edges &= edges - 1)
		record_change(__ffs64(edges), conflict);
	edges = ((level & ~before & rising) | (~level & before & falling)) & unmasked;
	raw_spin_unlock_irqrestore(&lock, flags);

	if (changed)
		wake_soon();
	while (edges) {
		line = __ffs64(edges);
		edges &= edges - 1;
		generic_handle_irq_safe(irq_find_mapping(domain, line));
	}
}

/*
 * The contact that moves, one at a time. A timer makes it bounce.
 */
static struct {
	struct hrtimer timer;
	unsigned int a, b;
	bool close;
	unsigned int left;
} moving;

static DEFINE_MUTEX(moves);
static DECLARE_WAIT_QUEUE_HEAD(still);

/* With lock held. */
static void join(bool close)
{
	u64 a = BIT_ULL(moving.a), b = BIT_ULL(moving.b);

	joined[moving.a] = close ? joined[moving.a] | b : joined[moving.a] & ~b;
	joined[moving.b] = close ? joined[moving.b] | a : joined[moving.b] & ~a;
}

static enum hrtimer_restart bounce(struct hrtimer *timer)
{
	unsigned long flags;
	bool more;

	raw_spin_lock_irqsave(&lock, flags);
	more = --moving.left;
	join(moving.left % 2 ? !moving.close : moving.close);
	settle(0, flags);
	if (!more) {
		wake_up(&still);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ns_to_ktime(BOUNCE));
	return HRTIMER_RESTART;
}

/* Returns when the contact has stopped bouncing. */
static void move(unsigned int a, unsigned int b, bool close)
{
	unsigned long flags;

	mutex_lock(&moves);
	raw_spin_lock_irqsave(&lock, flags);
	moving.a = a;
	moving.b = b;
	moving.close = close;
	moving.left = BOUNCES;
	join(close);
	settle(0, flags);
	hrtimer_start(&moving.timer, ns_to_ktime(BOUNCE), HRTIMER_MODE_REL);
	wait_event(still, !READ_ONCE(moving.left));
	mutex_unlock(&moves);
}

static int contacts_get_direction(struct gpio_chip *gc, unsigned int line)
{
	return output & BIT_ULL(line) ? GPIO_LINE_DIRECTION_OUT : GPIO_LINE_DIRECTION_IN;
}

static int contacts_direction_input(struct gpio_chip *gc, unsigned int line)
{
	unsigned long flags;
	u64 was;

	raw_spin_lock_irqsave(&lock, flags);
	was = output;
	output &= ~BIT_ULL(line);
	settle(was ^ output, flags);
	return 0;
}

static int contacts_direction_output(struct gpio_chip *gc, unsigned int line, int value)
{
	unsigned long flags;
	u64 was;

	raw_spin_lock_irqsave(&lock, flags);
	was = output;
	output |= BIT_ULL(line);
	high = value ? high | BIT_ULL(line) : high & ~BIT_ULL(line);
	settle(was ^ output, flags);
	return 0;
}

static void contacts_free(struct gpio_chip *gc, unsigned int line)
{
	contacts_direction_input(gc, line);
}

static int contacts_get(struct gpio_chip *gc, unsigned int line)
{
	return !!(READ_ONCE(level) & BIT_ULL(line));
}

static void contacts_set(struct gpio_chip *gc, unsigned int line, int value)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	high = value ? high | BIT_ULL(line) : high & ~BIT_ULL(line);
	settle(0, flags);
}

static int contacts_set_config(struct gpio_chip *gc, unsigned int line, unsigned long config)
{
	unsigned long flags;
	u64 to_up = 0, to_down = 0;

	switch (pinconf_to_config_param(config)) {
	case PIN_CONFIG_BIAS_PULL_UP:
		to_up = BIT_ULL(line);
		break;
	case PIN_CONFIG_BIAS_PULL_DOWN:
		to_down = BIT_ULL(line);
		break;
	case PIN_CONFIG_BIAS_DISABLE:
		break;
	default:
		return -ENOTSUPP;
	}
	raw_spin_lock_irqsave(&lock, flags);
	pull_up = (pull_up & ~BIT_ULL(line)) | to_up;
	pull_down = (pull_down & ~BIT_ULL(line)) | to_down;
	settle(0, flags);
	return 0;
}

static int contacts_to_irq(struct gpio_chip *gc, unsigned int line)
{
	return irq_create_mapping(domain, line);
}

static struct gpio_chip chip = {
	.label = "pinctrl-bcm2835",
	.owner = THIS_MODULE,
	.base = -1,
	.ngpio = LINES,
	.get_direction = contacts_get_direction,
	.direction_input = contacts_direction_input,
	.direction_output = contacts_direction_output,
	.free = contacts_free,
	.get = contacts_get,
	.set = contacts_set,
	.set_config = contacts_set_config,
	.to_irq = contacts_to_irq,
};

static void contacts_mask(struct irq_data *d)
{
	unmasked &= ~BIT_ULL(d->hwirq);
}

static void contacts_unmask(struct irq_data *d)
{
	unmasked |= BIT_ULL(d->hwirq);
}

static int contacts_set_type(struct irq_data *d, unsigned int type)
{
	u64 line = BIT_ULL(d->hwirq);

	if (type & ~IRQ_TYPE_EDGE_BOTH)
		return -EINVAL;
	rising = type & IRQ_TYPE_EDGE_RISING ? rising | line : rising & ~line;
	falling = type & IRQ_TYPE_EDGE_FALLING ? falling | line : falling & ~line;
	irqd_set_trigger_type(d, type);
	return 0;
}

static struct irq_chip irqs = {
	.name = "contacts",
	.irq_mask = contacts_mask,
	.irq_unmask = contacts_unmask,
	.irq_set_type = contacts_set_type,
};

static int contacts_map(struct irq_domain *d, unsigned int irq, irq_hw_number_t line)
{
	irq_set_chip_and_handler(irq, &irqs, handle_simple_irq);
	irq_modify_status(irq, IRQ_NOREQUEST | IRQ_NOAUTOEN, IRQ_NOPROBE);
	return 0;
}

static const struct irq_domain_ops domain_ops = { .map = contacts_map };

static int tones_apply(struct pwm_chip *pc, struct pwm_device *pwm, const struct pwm_state *state)
{
	struct change c = {
		.time = ktime_get_ns(),
		.line = LINES + pwm->hwpwm,
		.level = state->enabled && state->duty_cycle,
		.output = state->enabled,
		.period = state->period,
	};
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	queue_change(c);
	raw_spin_unlock_irqrestore(&lock, flags);
	wake_soon();
	return 0;
}

static const struct pwm_ops tone_ops = {
	.owner = THIS_MODULE,
	.apply = tones_apply,
};

static struct pwm_chip tones = {
	.ops = &tone_ops,
	.npwm = TONES,
};

static int outer_open(struct inode *inode, struct file *file)
{
	unsigned long flags;
	unsigned int line;

	raw_spin_lock_irqsave(&lock, flags);
	if (watched) {
		raw_spin_unlock_irqrestore(&lock, flags);
		return -EBUSY;
	}
	kfifo_reset(&changes);
	watched = true;
	overflow = false;
	for (line = 0; line < LINES; line++)
		record_change(line, 0);
	raw_spin_unlock_irqrestore(&lock, flags);
	return stream_open(inode, file);
}

static int outer_release(struct inode *inode, struct file *file)
{
	WRITE_ONCE(watched, false);
	return 0;
}

static ssize_t outer_read(struct file *file, char __user *to, size_t size, loff_t *offset)
{
	unsigned int copied;
	int err;

	if (size < sizeof(struct change))
		return -EINVAL;
	if (kfifo_is_empty(&changes)) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(readers, !kfifo_is_empty(&changes));
		if (err)
			return err;
	}
	if (READ_ONCE(overflow))
		return -EOVERFLOW;
	mutex_lock(&reading);
	err = kfifo_to_user(&changes, to, size, &copied);
	mutex_unlock(&reading);
	return err ? err : copied;
}

static __poll_t outer_poll(struct file *file, struct poll_table_struct *wait)
{
	poll_wait(file, &readers, wait);
	return EPOLLOUT | EPOLLWRNORM | (kfifo_is_empty(&changes) ? 0 : EPOLLIN | EPOLLRDNORM);
}

static ssize_t outer_write(struct file *file, const char __user *from, size_t size, loff_t *offset)
{
	char command[32];
	unsigned long flags;
	unsigned int a, b;

	if (size >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, from, size))
		return -EFAULT;
	command[size] = 0;

	if (sscanf(command, "press %u %u", &a, &b) == 2 && a < LINES && b < LINES && a != b) {
		move(a, b, true);
		return size;
	}
	if (sscanf(command, "release %u %u", &a, &b) == 2 && a < LINES && b < LINES && a != b) {
		move(a, b, false);
		return size;
	}
	raw_spin_lock_irqsave(&lock, flags);
	if (sscanf(command, "drive %u %u", &a, &b) == 2 && a < LINES && b < 2) {
		outside |= BIT_ULL(a);
		outside_high = b ? outside_high | BIT_ULL(a) : outside_high & ~BIT_ULL(a);
	} else if (sscanf(command, "leave %u", &a) == 1 && a < LINES) {
		outside &= ~BIT_ULL(a);
	} else {
		raw_spin_unlock_irqrestore(&lock, flags);
		return -EINVAL;
	}
	settle(0, flags);
	return size;
}

static const struct file_operations outer_ops = {
	.owner = THIS_MODULE,
	.open = outer_open,
	.release = outer_release,
	.read = outer_read,
	.write = outer_write,
	.poll = outer_poll,
	.llseek = no_llseek,
};

static struct miscdevice outer_end = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "contacts",
	.fops = &outer_ops,
	.mode = 0600,
};

static char names[LINES][8];
static const char *name[LINES];
static struct platform_device *board;

static int __init contacts_init(void)
{
	unsigned int line;
	int err;

	for (line = 0; line < LINES; line++) {
		snprintf(names[line], sizeof(names[line]), "GPIO%u", line);
		name[line] = names[line];
	}
	pull_up = GENMASK_ULL(8, 0) | GENMASK_ULL(36, 34) | GENMASK_ULL(53, 46);
	pull_down = GENMASK_ULL(27, 9) | GENMASK_ULL(33, 30) | GENMASK_ULL(43, 37);
	level = pull_up;

	hrtimer_init(&waker, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	waker.function = wake;
	hrtimer_init(&moving.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	moving.timer.function = bounce;
	err = kfifo_alloc(&changes, CHANGES, GFP_KERNEL);
	if (err)
		return err;
	domain = irq_domain_add_linear(NULL, LINES, &domain_ops, NULL);
	if (!domain) {
		err = -ENOMEM;
		goto free_changes;
	}
	board = platform_device_register_simple("contacts", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(board)) {
		err = PTR_ERR(board);
		goto remove_domain;
	}
	chip.names = name;
	chip.parent = &board->dev;
	err = gpiochip_add_data(&chip, NULL);
	if (err)
		goto unregister_board;
	tones.dev = &board->dev;
	err = pwmchip_add(&tones);
	if (err)
		goto remove_chip;
	err = misc_register(&outer_end);
	if (!err)
		return 0;

	pwmchip_remove(&tones);
remove_chip:
	gpiochip_remove(&chip);
unregister_board:
	platform_device_unregister(board);
remove_domain:
	irq_domain_remove(domain);
free_changes:
	kfifo_free(&changes);
	return err;
}
module_init(contacts_init);

MODULE_DESCRIPTION("Lines and PWM of a Raspberry Pi, and contacts between lines");
MODULE_LICENSE("GPL");
