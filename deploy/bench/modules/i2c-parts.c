// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I²C bus 1, /dev/i2c-1, whose parts a program simulates.
 *
 * The kernel's i2c-stub supports only SMBus commands. This adapter supports plain
 * messages: a program opens /dev/i2c-parts, reads each transfer, and writes the
 * answer of the parts. One program at a time can open it. It reads one transfer:
 *
 *	__u32 messages; then for each
 *	__u16 address, __u16 flags (I2C_M_RD: a read), __u16 length, and of a
 *	write its bytes
 *
 * in the machine's byte order, without padding, and answers with
 *
 *	__s32 result: 0 or a negative error; then the bytes of all reads
 *
 * The Pi's adapter fails with EREMOTEIO when no part acknowledges, and with
 * ETIMEDOUT when the bus is shorted. The program chooses the error. Without a
 * program the transfer fails with EREMOTEIO, and when the program does not answer
 * within 5 s, with ETIMEDOUT.
 */

#include <linux/fs.h>
#include <linux/i2c.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

#define BUS	1
#define LONGEST	16384 /* transfer or answer, in bytes */
#define PATIENCE (5 * HZ)

static DEFINE_MUTEX(lock); /* of everything below */
static DECLARE_WAIT_QUEUE_HEAD(asked);
static DECLARE_WAIT_QUEUE_HEAD(answered);
static enum { IDLE, ASKED, TAKEN, ANSWERED } state;
static bool simulated; /* a program has the outer end open */
static u8 transfer[LONGEST], answer[LONGEST];
static size_t transfer_size, answer_size;

static int append(const void *bytes, size_t size)
{
	if (size > sizeof(transfer) - transfer_size)
		return -EOPNOTSUPP;
	memcpy(transfer + transfer_size, bytes, size);
	transfer_size += size;
	return 0;
}

/* With lock held. */
static int ask(struct i2c_msg *messages, int count)
{
	u32 n = count;
	int i, err;

	transfer_size = 0;
	err = append(&n, sizeof(n));
	for (i = 0; i < count && !err; i++) {
		u16 head[] = { messages[i].addr, messages[i].flags, messages[i].len };

		err = append(head, sizeof(head));
		if (!err && !(messages[i].flags & I2C_M_RD))
			err = append(messages[i].buf, messages[i].len);
	}
	if (err)
		return err;
	state = ASKED;
	wake_up_interruptible(&asked);
	return 0;
}

/* With lock held. */
static int take_answer(struct i2c_msg *messages, int count)
{
	size_t at = sizeof(s32);
	s32 result;
	int i;

	memcpy(&result, answer, sizeof(result));
	if (result < 0)
		return result;
	for (i = 0; i < count; i++) {
		if (!(messages[i].flags & I2C_M_RD))
			continue;
		if (messages[i].len > answer_size - at)
			return -EREMOTEIO;
		memcpy(messages[i].buf, answer + at, messages[i].len);
		at += messages[i].len;
	}
	return count;
}

static int parts_transfer(struct i2c_adapter *adapter, struct i2c_msg *messages, int count)
{
	int result;

	mutex_lock(&lock);
	result = simulated ? ask(messages, count) : -EREMOTEIO;
	if (!result) {
		mutex_unlock(&lock);
		wait_event_timeout(answered, READ_ONCE(state) == ANSWERED || !READ_ONCE(simulated), PATIENCE);
		mutex_lock(&lock);
		if (state == ANSWERED)
			result = take_answer(messages, count);
		else
			result = simulated ? -ETIMEDOUT : -EREMOTEIO;
	}
	state = IDLE;
	mutex_unlock(&lock);
	return result;
}

static u32 parts_functionality(struct i2c_adapter *adapter)
{
	return I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL;
}

static const struct i2c_algorithm algorithm = {
	.master_xfer = parts_transfer,
	.functionality = parts_functionality,
};

static struct i2c_adapter adapter = {
	.owner = THIS_MODULE,
	.name = "bench I2C",
	.algo = &algorithm,
	.nr = BUS,
};

static int outer_open(struct inode *inode, struct file *file)
{
	int err = -EBUSY;

	mutex_lock(&lock);
	if (!simulated) {
		simulated = true;
		err = stream_open(inode, file);
	}
	mutex_unlock(&lock);
	return err;
}

static int outer_release(struct inode *inode, struct file *file)
{
	mutex_lock(&lock);
	simulated = false;
	wake_up(&answered);
	mutex_unlock(&lock);
	return 0;
}

static ssize_t outer_read(struct file *file, char __user *to, size_t size, loff_t *offset)
{
	ssize_t result = -EAGAIN;

	if (!(file->f_flags & O_NONBLOCK) && wait_event_interruptible(asked, READ_ONCE(state) == ASKED))
		return -ERESTARTSYS;
	mutex_lock(&lock);
	if (state == ASKED) {
		result = transfer_size;
		if (size < transfer_size)
			result = -EINVAL;
		else if (copy_to_user(to, transfer, transfer_size))
			result = -EFAULT;
		else
			state = TAKEN;
	}
	mutex_unlock(&lock);
	return result;
}

/* Discards an answer that comes too late. */
static ssize_t outer_write(struct file *file, const char __user *from, size_t size, loff_t *offset)
{
	ssize_t result = size;

	if (size < sizeof(s32) || size > sizeof(answer))
		return -EINVAL;
	mutex_lock(&lock);
	if (state == TAKEN) {
		if (copy_from_user(answer, from, size)) {
			result = -EFAULT;
		} else {
			answer_size = size;
			state = ANSWERED;
			wake_up(&answered);
		}
	}
	mutex_unlock(&lock);
	return result;
}

static __poll_t outer_poll(struct file *file, struct poll_table_struct *wait)
{
	poll_wait(file, &asked, wait);
	return EPOLLOUT | EPOLLWRNORM | (READ_ONCE(state) == ASKED ? EPOLLIN | EPOLLRDNORM : 0);
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
	.name = "i2c-parts",
	.fops = &outer_ops,
	.mode = 0600,
};

static int __init parts_init(void)
{
	int err = misc_register(&outer_end);

	if (err)
		return err;
	err = i2c_add_numbered_adapter(&adapter);
	if (err)
		misc_deregister(&outer_end);
	return err;
}
module_init(parts_init);

static void __exit parts_exit(void)
{
	i2c_del_adapter(&adapter);
	misc_deregister(&outer_end);
}
module_exit(parts_exit);

MODULE_DESCRIPTION("An I2C bus whose parts a program simulates");
MODULE_LICENSE("GPL");
